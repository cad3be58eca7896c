//! The decision cache over real connections: which decisions are cached, and what invalidates them.

use http::Request;
use http_body_util::Full;
use pointsman_tests::{Live, Proxy, Tenant, Upstream, Wat, example};

const HITS: &str = r#"pointsman_cache_lookups_total{outcome="hit",tenant="shop"}"#;
const MISSES: &str = r#"pointsman_cache_lookups_total{outcome="miss",tenant="shop"}"#;

async fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://shop.test/").await.status
}

async fn start(tenant: Tenant) -> Proxy {
    Proxy::with(tenant).proxy("watch = false").start().await
}

#[tokio::test]
async fn decision_is_cached_until_another_version_serves() {
    let live = Live::new(&Wat::answering(201));
    let proxy = start(Tenant::new("shop").module(live.path(), "")).await;
    for _ in 0..5 {
        assert_eq!(status(&proxy).await, 201);
    }
    assert_eq!((proxy.metric(HITS).await, proxy.metric(MISSES).await), (4.0, 1.0));
    assert!(proxy.metric(r#"pointsman_cache_entries{tenant="shop"}"#).await >= 1.0);
    assert_eq!(proxy.metric(r#"pointsman_decisions_total{outcome="respond",tenant="shop"}"#).await, 1.0);
    let lines = proxy.log(5).await;
    assert_eq!(lines.iter().filter(|line| line["cached"] == true && line["decision"] == "respond").count(), 4);

    live.replace(&Wat::answering(202).bytes());
    proxy.reload().await.expect("a good configuration");
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 202);
    }
    // After a rollback, its decisions are still cached: it is the same version.
    let tenant = proxy.control().tenants()["shop"].clone();
    proxy.control().publisher.roll_back(&tenant, None).expect("a version");
    assert_eq!(status(&proxy).await, 201);
}

#[tokio::test]
async fn each_value_has_its_own_cached_decision() {
    let upstreams = [Upstream::answering("one").start().await, Upstream::answering("two").start().await];
    let addresses = upstreams.each_ref().map(|upstream| format!("\"{}\"", upstream.address())).join(", ");
    let tenant = Tenant::new("shop").module(example("sticky"), &format!("cookie = \"id\"\nupstreams = [{addresses}]"));
    let proxy = start(tenant).await;
    let mut client = proxy.client().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut round = Vec::new();
        for number in 0..20 {
            let request = Request::get("http://shop.test/").header("cookie", format!("a=1; id={number}"));
            let reply = client.send(request.body(Full::default()).expect("a request")).await.expect("a response");
            assert_eq!(reply.status, 200);
            round.push(reply.body);
        }
        all.push(round);
    }
    assert!(all[0].contains(&"one".to_owned()) && all[0].contains(&"two".to_owned()), "{all:?}");
    assert!(all[1] == all[0] && all[2] == all[0], "{all:?}");
    assert_eq!((proxy.metric(HITS).await, proxy.metric(MISSES).await), (40.0, 20.0));
}

/// A decision that was checked under one configuration is not followed under another.
#[tokio::test]
async fn change_of_the_tenant_empties_its_cache() {
    let upstream = Upstream::answering("live").start().await;
    let tenant = Tenant::new("shop").module(example("fixed"), &format!("address = \"{}\"", upstream.address()));
    let proxy = start(tenant).await;
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 200);
    }
    assert_eq!(proxy.metric(HITS).await, 2.0);
    let before = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    std::fs::write(proxy.config_file(), before.replace("\"127.0.0.0/8\", ", "")).expect("written");
    proxy.reload().await.expect("a good configuration");
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")));
}

#[tokio::test]
async fn tenant_over_its_quota_still_gets_cached_decisions() {
    let module = Wat::answering(201).file();
    let proxy = start(Tenant::new("shop").module(module.path(), "")).await;
    assert_eq!(status(&proxy).await, 201);
    let tenant = proxy.control().tenants()["shop"].clone();
    let now = std::time::Instant::now();
    while !tenant.usage.cpu.is_over(now) {
        tenant.usage.decided(std::time::Duration::from_secs(1), now);
    }
    assert_eq!(status(&proxy).await, 201);
}

#[tokio::test]
async fn cache_can_be_disabled_and_is_disabled_for_reused_instances() {
    for keys in ["cache_entries = 0", "cache_bytes = 0"] {
        let module = Wat::answering(201).file();
        let tenant = Tenant::new("shop").module(module.path(), "").table(&format!("[tenant.quota]\n{keys}"));
        let proxy = start(tenant).await;
        for _ in 0..3 {
            assert_eq!(status(&proxy).await, 201);
        }
        assert_eq!((proxy.metric(HITS).await, proxy.metric(MISSES).await), (0.0, 0.0), "{keys}");
        assert_eq!(proxy.metric(r#"pointsman_decisions_total{outcome="respond",tenant="shop"}"#).await, 3.0);
    }
    let module = Wat::answering(201).file();
    let proxy = start(Tenant::new("shop").keys("instance_calls = 10").module(module.path(), "")).await;
    for _ in 0..3 {
        assert_eq!(status(&proxy).await, 201);
    }
    assert_eq!(proxy.metric(r#"pointsman_cache_uncacheable_total{reason="instance-calls",tenant="shop"}"#).await, 3.0);
}
