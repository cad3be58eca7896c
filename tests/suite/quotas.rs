//! Limits for all requests of a tenant together, and that other tenants are not affected.

use pointsman_tests::{Authority, NameServer, Proxy, Tenant, Upstream, Wat, eventually, eventually_async, example};

fn over_budget(key: &str) -> String {
    format!(r#"pointsman_over_budget_total{{key="{key}",tenant="greedy"}}"#)
}

/// Computes for some milliseconds and answers.
fn slow() -> Wat {
    Wat::select_peer(
        "(loop $again
           (global.set $at (i32.add (global.get $at) (i32.const 1)))
           (br_if $again (i32.lt_u (global.get $at) (i32.const 5000000))))
         (i32.const 128)",
    )
}

#[tokio::test]
async fn tenant_over_its_share_of_cpu_is_served_by_its_fallback_and_recovers() {
    let live = Upstream::answering("live").start().await;
    let file = slow().file();
    let greedy = Tenant::new("greedy").module(file.path(), "").table(&format!(
        "[tenant.limits]\ndecision_ms = 1000\n[tenant.quota]\ncpu_percent = 1\ncache_entries = 0\n\
         [tenant.failure.peer]\naddress = \"{}\"",
        live.address()
    ));
    let good = Tenant::new("good").module(example("fixed"), &format!("address = \"{}\"", live.address()));
    let proxy = Proxy::with(greedy).and(good).start().await;

    let mut own = 0;
    let falls = async || proxy.get("http://greedy.test/").await.body == "live";
    while !falls().await {
        own += 1;
        assert!(own < 1_000, "its share never ends");
    }
    assert!(own > 0, "it has a share");
    assert!(proxy.metric(&over_budget("cpu_percent")).await > 0.0);
    let log = proxy.log(own + 1).await;
    let fallen = log.iter().filter(|line| line["fallback"]["code"] == "quota-cpu");
    assert_eq!(fallen.count(), 1);
    assert_eq!(proxy.get("http://good.test/").await.body, "live");
    eventually_async("its share again", async || (!falls().await).then_some(())).await;
}

#[tokio::test]
async fn decisions_at_the_same_time_wait_for_each_other() {
    let file = slow().file();
    let tenant = Tenant::new("greedy").module(file.path(), "");
    let tenant = tenant
        .table("[tenant.limits]\ndecision_ms = 1000\n[tenant.quota]\nconcurrent_decisions = 1\ncache_entries = 0");
    let proxy = Proxy::with(tenant).start().await;
    let reply = async || proxy.get("http://greedy.test/").await.status;
    assert_eq!(tokio::join!(reply(), reply(), reply(), reply()), (200, 200, 200, 200));
}

#[tokio::test]
async fn wait_for_another_decision_is_bounded() {
    let file = Wat::select_peer("(loop $again (br $again)) unreachable").file();
    let tenant = Tenant::new("greedy").module(file.path(), "");
    let tenant = tenant
        .table("[tenant.limits]\ndecision_ms = 2000\n[tenant.quota]\nconcurrent_decisions = 1\ncache_entries = 0");
    let proxy = Proxy::with(tenant).threads(4).start().await;
    let code = async || proxy.get("http://greedy.test/").await.code().map(str::to_owned).unwrap_or_default();
    // Repeated, since requests that arrive on the very thread that is busy wait there, and not for their turn.
    eventually_async("a decision that waited", async || {
        let codes: [String; 4] = tokio::join!(code(), code(), code(), code()).into();
        assert!(codes.iter().any(|code| code == "module-budget" || code == "quota-cpu"), "{codes:?}");
        codes.iter().any(|code| code == "quota-decisions").then_some(())
    })
    .await;
    assert!(proxy.metric(&over_budget("concurrent_decisions")).await >= 1.0);
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let slow = Upstream::answering("slow").start().await;
    let greedy = Tenant::new("greedy").module(example("fixed"), &format!("address = \"{}\"", slow.address()));
    let good = Tenant::new("good").module(example("fixed"), &format!("address = \"{}\"", slow.address()));
    let proxy = Proxy::with(greedy.table("[tenant.quota]\nconcurrent_requests = 2")).and(good).start().await;
    let get = async |tenant: &str| proxy.get(&format!("http://{tenant}.test/")).await.status;
    slow.hold(3);
    let two_more = async {
        eventually("two requests in flight", || (slow.connections() == 2).then_some(())).await;
        // The third one at the upstream, which waits for it, is the good one.
        (get("greedy").await, get("good").await)
    };
    assert_eq!(tokio::join!(get("greedy"), get("greedy"), two_more), (200, 200, (503, 200)));
    assert_eq!(proxy.metric(&over_budget("concurrent_requests")).await, 1.0);
    assert_eq!(proxy.metric(r#"pointsman_requests_total{status="5xx",tenant="greedy"}"#).await, 1.0);
    // A request counts until all of it has ended, which is just after its response.
    eventually_async("room for a request", async || (get("greedy").await == 200).then_some(())).await;
}

#[tokio::test]
async fn idle_connections_are_pooled_up_to_the_quota() {
    let slow = Upstream::answering("slow").start().await;
    let greedy = Tenant::new("greedy").module(example("fixed"), &format!("address = \"{}\"", slow.address()));
    let proxy = Proxy::with(greedy.table("[tenant.quota]\nconnections = 2")).start().await;
    // Six requests at once. Returns how many of their connections were new, once as many as expected are left.
    let wave = async |left: usize| {
        let before = slow.connections();
        slow.hold(6);
        let get = async || proxy.get("http://greedy.test/").await.status;
        assert_eq!(tokio::join!(get(), get(), get(), get(), get(), get()), (200, 200, 200, 200, 200, 200));
        // Those that are not kept close at once, but not in the same instant.
        eventually("connections that close", || (slow.open() == left).then_some(())).await;
        slow.connections() - before
    };
    assert_eq!(wave(2).await, 6);
    assert_eq!(proxy.metric(&over_budget("connections")).await, 4.0);
    // A kept connection is free for reuse shortly after its response is complete. While there are two connections, no
    // attempt keeps one, so the wave that reuses them leaves none, and the next wave begins as the first did.
    eventually_async("two connections that are reused", async || {
        let reused = 6 - wave(0).await;
        assert!(reused <= 2);
        assert_eq!(wave(2).await, 6);
        (reused == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unbounded_number_of_peers_resets_the_table() {
    let live = Upstream::answering("live").start().await;
    let greedy = Tenant::new("greedy").hostnames(&["lab.test"]).module(example("lab"), "");
    let proxy = Proxy::with(greedy.table("[tenant.quota]\npeers = 10")).start().await;
    let mut client = proxy.client().await;
    for isolation in 0..35 {
        let order = format!(r#"{{"address": "{}", "isolation": "{isolation}"}}"#, live.address());
        assert_eq!(client.order(order).await.status, 200);
    }
    assert_eq!(proxy.metric(&over_budget("peers")).await, 3.0);
}

#[tokio::test]
async fn new_peers_that_negotiate_alpn_are_rate_limited() {
    let authority = Authority::new("quotas");
    let live = Upstream::answering("live").tls(&authority.leaf(&["origin.test"]), &["http/1.1"]).start().await;
    let greedy = Tenant::new("greedy").hostnames(&["lab.test"]).module(example("lab"), "");
    let proxy = Proxy::with(greedy.table("[tenant.quota]\npeers = 4")).trusting(&authority).start().await;
    let send = async |isolation: u32, alpn: &str| {
        let order = format!(
            r#"{{"address": "{}", "tls": {{"sni": "origin.test"}}, "http": {{"alpn": "{alpn}"}}, "isolation": "{isolation}"}}"#,
            live.address()
        );
        let reply = proxy.order(order).await;
        reply.code().map_or(reply.body.clone(), str::to_owned)
    };
    // The allowed burst, and one more.
    for isolation in 0..5 {
        assert_eq!(send(isolation, "h2h1").await, "live", "{isolation}");
    }
    assert_eq!(send(5, "h2h1").await, "quota-peers");
    assert_eq!(send(4, "h2h1").await, "live", "a known peer");
    assert_eq!(send(6, "h1").await, "live", "no ALPN negotiation");
}

#[tokio::test]
async fn unbounded_number_of_names_is_not_looked_up() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let greedy = Tenant::new("greedy").hostnames(&["lab.test"]).module(example("lab"), "");
    let limits = "[tenant.limits]\nattempts = 1\n[tenant.quota]\nlookups_per_s = 3";
    let proxy = Proxy::with(greedy.table(limits)).resolver(&dns.toml()).start().await;
    let port = live.address().port();
    let order = |name: &str| format!(r#"{{"address": "{name}.test:{port}"}}"#);
    assert_eq!(proxy.order(order("origin")).await.body, "live");
    for number in 0..20 {
        assert_eq!(proxy.order(order(&format!("random-{number}"))).await.code(), Some("upstream-resolve"));
    }
    assert!(proxy.metric(&over_budget("lookups_per_s")).await > 0.0);
    assert_eq!(proxy.order(order("origin")).await.body, "live", "cached names do not count");
}
