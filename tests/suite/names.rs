//! Upstreams by name: the host's DNS queries, its cache, and the addresses that it tries.

use std::collections::HashMap;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use pointsman_tests::dns::Entry;
use pointsman_tests::{Authority, NameServer, Proxy, Tenant, Upstream, eventually, example};

const GRANTS: &str = "[tenant.grants]\nbind_to = true";

/// A proxy that resolves with these settings.
async fn resolving(resolver: &str) -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "").table(GRANTS)).resolver(resolver).start().await
}

fn named(name: &str, upstream: &Upstream) -> String {
    format!(r#"{{"address": "{name}:{}"}}"#, upstream.address().port())
}

#[tokio::test]
async fn name_is_resolved_by_the_configured_server() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let proxy = resolving(&dns.toml()).await;
    assert_eq!(proxy.order(&named("Origin.Test.", &live)).await.body, "live");
    assert_eq!(dns.queries(RecordType::A), ["origin.test"]);
    assert_eq!(dns.queries(RecordType::AAAA), ["origin.test"]);
    assert_eq!(proxy.log(1).await[0]["upstream_address"], live.address().to_string());
}

#[tokio::test]
async fn certificate_is_checked_against_the_name_of_the_peer_by_default() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.leaf(&["origin.test"]), &["http/1.1"]).start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"])]).await;
    let tenant = Tenant::new("lab").module(example("lab"), "");
    let proxy = Proxy::with(tenant).trusting(&authority).resolver(&dns.toml()).start().await;
    let tls = |name: &str| format!(r#"{{"address": "{name}:{}", "tls": {{}}}}"#, live.address().port());
    assert_eq!(proxy.order(&tls("origin.test")).await.body, "live");
    assert_eq!(live.only_request().sni.as_deref(), Some("origin.test"));
    assert_eq!(proxy.order(&tls("other.test")).await.code(), Some("upstream-certificate"));
}

#[tokio::test]
async fn hosts_file_comes_before_the_servers() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[]).await;
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), ""))
        .file("hosts", "127.0.0.1 origin.test # a comment\n")
        .resolver(&format!("{}\nhosts_file = \"hosts\"", dns.toml()))
        .start()
        .await;
    assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
    assert!(dns.queries(RecordType::A).is_empty() && dns.queries(RecordType::AAAA).is_empty());
}

#[tokio::test]
async fn missing_hosts_file_is_refused_at_the_start() {
    let tenant = Tenant::new("lab").module(example("lab"), "");
    match Proxy::with(tenant).resolver("hosts_file = \"absent\"").try_start().await {
        Ok(_) => panic!("it started"),
        Err(message) => assert!(message.contains("resolver.hosts_file: cannot read"), "{message}"),
    }
}

#[tokio::test]
async fn dns_answers_are_cached_for_their_ttl() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let proxy = resolving(&dns.toml()).await;
    for _ in 0..3 {
        assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
    }
    assert_eq!(dns.queries(RecordType::A).len(), 1);

    let passing = NameServer::with(0, &[("origin.test", &["127.0.0.1"])]).await;
    let proxy = resolving(&format!("{}\nmin_ttl_s = 0", passing.toml())).await;
    for _ in 0..3 {
        assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
    }
    assert_eq!(passing.queries(RecordType::A).len(), 3);
}

#[tokio::test]
async fn stale_dns_answer_is_used_while_the_servers_fail() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(0, &[("origin.test", &["127.0.0.1"])]).await;
    let tenant = |name| Tenant::new(name).module(example("lab"), "");
    let resolver = format!("{}\nmin_ttl_s = 0", dns.toml());
    let proxy = Proxy::with(tenant("lab")).resolver(&resolver).start().await;
    let strict = Proxy::with(tenant("lab")).resolver(&format!("{resolver}\nstale_s = 0")).start().await;
    for proxy in [&proxy, &strict] {
        assert_eq!(proxy.order(named("origin.test", &live)).await.body, "live");
    }
    dns.fail();
    let queries = dns.queries(RecordType::A).len();
    for _ in 0..3 {
        assert_eq!(proxy.order(named("origin.test", &live)).await.body, "live");
    }
    assert!(dns.queries(RecordType::A).len() > queries, "it was not queried again");
    assert_eq!(strict.order(named("origin.test", &live)).await.code(), Some("upstream-resolve"));
}

#[tokio::test]
async fn negative_dns_answer_is_cached() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[]).await;
    let proxy = resolving(&dns.toml()).await;
    for _ in 0..3 {
        let reply = proxy.order(&named("absent.test", &live)).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-resolve")));
    }
    assert_eq!(dns.queries(RecordType::A), ["absent.test"]);
    assert_eq!(proxy.log(1).await[0]["failed_attempts"][0]["failure"], "resolve-unreachable");
}

#[tokio::test]
async fn failure_of_one_address_family_leaves_the_other() {
    let live = Upstream::answering("live").start().await;
    let good = || Entry::addresses(&["127.0.0.1"]);
    let zone = HashMap::from([
        ("silent.test", Entry::families(good(), Entry::Silent)),
        ("broken.test", Entry::families(good(), Entry::Broken)),
        ("refused.test", Entry::families(good(), Entry::Refused)),
        ("absent.test", Entry::families(good(), Entry::Absent)),
        ("none.test", Entry::families(good(), Entry::addresses(&[]))),
    ]);
    let names: Vec<&str> = zone.keys().copied().collect();
    let dns = NameServer::of(60, zone).await;
    let proxy = resolving(&dns.toml()).await;
    for name in names {
        for _ in 0..2 {
            assert_eq!(proxy.order(&named(name, &live)).await.body, "live", "{name}");
        }
        let queries = dns.queries(RecordType::A).iter().filter(|query| *query == name).count();
        assert_eq!(queries, 1, "{name}: the answer is cached");
    }
}

#[tokio::test]
async fn name_fails_when_both_address_families_fail() {
    let live = Upstream::answering("live").start().await;
    let none = || Entry::addresses(&[]);
    for (v4, v6, status, failure) in [
        (Entry::Broken, Entry::Broken, 502, "resolve-other"),
        (Entry::Refused, none(), 502, "resolve-other"),
        (none(), Entry::Broken, 502, "resolve-other"),
        (Entry::Silent, Entry::Refused, 502, "resolve-other"),
        (Entry::Silent, none(), 504, "resolve-timeout"),
        (Entry::Absent, none(), 502, "resolve-unreachable"),
    ] {
        let dns = NameServer::of(60, HashMap::from([("origin.test", Entry::families(v4, v6))])).await;
        let proxy = resolving(&format!("{}\ntimeout_ms = 500", dns.toml())).await;
        assert_eq!(proxy.order(&named("origin.test", &live)).await.status, status);
        assert_eq!(proxy.log(1).await[0]["failed_attempts"][0]["failure"], failure);
    }
}

#[tokio::test]
async fn only_requests_that_need_a_slow_address_family_wait_for_it() {
    let slow = Entry::slow(Duration::from_millis(500), &["::1"]);
    let zone = HashMap::from([("origin.test", Entry::families(Entry::addresses(&["127.0.0.1"]), slow))]);
    let dns = NameServer::of(60, zone).await;
    let proxy = resolving(&dns.toml()).await;
    let port = Upstream::closed_port().port();
    let bound = format!(r#"{{"address": "origin.test:{port}", "bind-to": {{"address": "::1"}}}}"#);
    assert_eq!(proxy.order(&format!(r#"{{"address": "origin.test:{port}"}}"#)).await.code(), Some("upstream-refused"));
    // An address of that family was available.
    let code = proxy.order(&bound).await.code().map(str::to_owned);
    assert_ne!(code.as_deref(), Some("upstream-resolve"));
    // From then on it is cached with the others.
    let queries = dns.queries(RecordType::AAAA).len();
    proxy.order(&bound).await;
    assert_eq!(dns.queries(RecordType::AAAA).len(), queries);
}

#[tokio::test]
async fn slow_dns_answer_within_the_time_limit_is_used() {
    let live = Upstream::answering("live").start().await;
    // Later than the moments at which the query is sent again, and later than half of the time limit.
    let slow = Entry::slow(Duration::from_millis(2400), &["127.0.0.1"]);
    let dns = NameServer::of(60, HashMap::from([("origin.test", slow)])).await;
    let proxy = resolving(&format!("{}\ntimeout_ms = 4000", dns.toml())).await;
    assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
}

#[tokio::test]
async fn silent_name_server_does_not_use_up_the_time_of_the_others() {
    let live = Upstream::answering("live").start().await;
    let silent = || NameServer::of(60, HashMap::from([("origin.test", Entry::Silent)]));
    let good = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let servers = [silent().await, silent().await];
    let list =
        format!("servers = [\"{}\", \"{}\", \"{}\"]", servers[0].address(), servers[1].address(), good.address());
    let proxy = resolving(&list).await;
    assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
}

#[tokio::test]
async fn every_accepted_name_is_queried() {
    let live = Upstream::answering("live").start().await;
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    let names = ["my_service", "_a._b.test", "-a-.b-.test", "1.2.3.a4", "0x1.test", &label, &longest];
    let dns = NameServer::with(60, &names.map(|name| (name, ["127.0.0.1"].as_slice()))).await;
    let proxy = resolving(&dns.toml()).await;
    for name in names {
        assert_eq!(proxy.order(&named(name, &live)).await.body, "live", "{name}");
    }
    assert_eq!(dns.queries(RecordType::A), names);
}

#[tokio::test]
async fn alias_may_have_any_name() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::of(
        60,
        HashMap::from([
            ("origin.test", Entry::Alias("my_service._tcp.test".to_owned())),
            ("my_service._tcp.test", Entry::addresses(&["127.0.0.1"])),
        ]),
    )
    .await;
    let proxy = resolving(&dns.toml()).await;
    assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
}

#[tokio::test]
async fn name_with_an_underscore_is_reached_over_tls() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.leaf(&["my_service.test"]), &["h2"]).start().await;
    let dns = NameServer::with(60, &[("my_service.test", &["127.0.0.1"])]).await;
    let tenant = Tenant::new("lab").module(example("lab"), "");
    let proxy = Proxy::with(tenant).trusting(&authority).resolver(&dns.toml()).start().await;
    let peer =
        format!(r#"{{"address": "my_service.test:{}", "tls": {{}}, "http": {{"alpn": "h2"}}}}"#, live.address().port());
    assert_eq!(proxy.order(&peer).await.body, "live");
    assert_eq!(live.only_request().sni.as_deref(), Some("my_service.test"));
}

#[tokio::test]
async fn unanswered_name_ends_at_the_deadline_and_blocks_no_other_request() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::of(60, HashMap::from([("slow.test", Entry::Silent)])).await;
    // One thread: a lookup that blocked it would stop everything.
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "").table("[tenant.limits]\nattempts = 1"))
        .resolver(&format!("{}\ntimeout_ms = 500", dns.toml()))
        .threads(1)
        .start()
        .await;
    let (mut client, peer) = (proxy.client().await, named("slow.test", &live));
    let slow = tokio::spawn(async move { client.order(&peer).await });
    eventually("the look-up", || (!dns.queries(RecordType::A).is_empty()).then_some(())).await;
    for _ in 0..10 {
        assert_eq!(proxy.order(&format!(r#"{{"address": "{}"}}"#, live.address())).await.body, "live");
    }
    assert!(!slow.is_finished());
    let reply = slow.await.expect("a reply");
    assert_eq!((reply.status, reply.code()), (504, Some("upstream-resolve-timeout")));
}

#[tokio::test]
async fn module_decides_again_when_a_name_cannot_be_resolved() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::of(60, HashMap::from([("broken.test", Entry::Broken)])).await;
    let config = format!("upstreams = [\"broken.test:80\", \"absent.test:80\", \"{}\"]", live.address());
    let proxy =
        Proxy::with(Tenant::new("shop").module(example("failover"), &config)).resolver(&dns.toml()).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "live");
    let line = &proxy.log(1).await[0];
    assert_eq!(line["attempts"], 3);
    assert_eq!(line["failed_attempts"][0]["failure"], "resolve-other");
    assert_eq!(line["failed_attempts"][1]["failure"], "resolve-unreachable");
}

#[tokio::test]
async fn every_address_of_a_name_is_tried_within_one_attempt() {
    let live = Upstream::answering("live").start().await;
    let addresses = ["127.0.0.2", "127.0.0.3", "::1", "127.0.0.1"];
    let dns = NameServer::with(60, &[("origin.test", &addresses)]).await;
    let proxy = resolving(&dns.toml()).await;
    for _ in 0..8 {
        assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
    }
    assert!(proxy.log(8).await.iter().all(|line| line["attempts"] == 1 && line["failed_attempts"].is_null()));
}

#[tokio::test]
async fn attempt_fails_when_no_address_answers() {
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.2", "127.0.0.3"])]).await;
    let proxy = resolving(&dns.toml()).await;
    let port = Upstream::closed_port().port();
    let reply = proxy
        .order(&format!(r#"{{"route": {{"peer": {{"address": "origin.test:{port}"}}, "retry": {{"attempts": 2}}}}}}"#))
        .await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-refused")));
    let line = &proxy.log(1).await[0];
    assert_eq!(
        (&line["attempts"], &line["failed_attempts"][1]["upstream"]),
        (&2.into(), &format!("origin.test:{port}").into())
    );
}

#[tokio::test]
async fn addresses_of_a_name_share_the_load() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1", "127.0.0.2"])]).await;
    // A second upstream on the same port of the other address.
    let other =
        tokio::net::TcpListener::bind(("127.0.0.2", live.address().port())).await.expect("the port is free there");
    let counted = tokio::spawn(async move { other.accept().await.expect("a connection").1 });
    let proxy = resolving(&dns.toml()).await;
    let peer = named("origin.test", &live);
    let (first, second) = tokio::join!(through_quietly(&proxy, &peer), through_quietly(&proxy, &peer));
    assert!(first || second);
    assert!(counted.await.is_ok());
}

/// Whether the upstream answered: the fake one next to it does not.
async fn through_quietly(proxy: &Proxy, peer: &str) -> bool {
    let peer = peer.replace('}', r#", "timeouts": {"read-ms": 200}}"#);
    proxy.order(&format!(r#"{{"route": {{"peer": {peer}, "retry": {{"attempts": 1}}}}}}"#)).await.status == 200
}

#[tokio::test]
async fn local_address_chooses_the_family() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("both.test", &["::1", "127.0.0.1"]), ("new.test", &["::1"])]).await;
    let proxy = resolving(&dns.toml()).await;
    let bound = |name: &str| {
        format!(r#"{{"address": "{name}:{}", "bind-to": {{"address": "127.0.0.9"}}}}"#, live.address().port())
    };
    for _ in 0..4 {
        assert_eq!(proxy.order(&bound("both.test")).await.body, "live");
    }
    assert_eq!(proxy.order(&bound("new.test")).await.code(), Some("upstream-resolve"));
    assert!(live.requests().iter().all(|received| received.peer.ip().to_string() == "127.0.0.9"));
}

#[tokio::test]
async fn lookups_can_be_limited_to_one_address_family() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["::1", "127.0.0.1"])]).await;
    let proxy = resolving(&format!("{}\nfamilies = \"ipv4\"", dns.toml())).await;
    assert_eq!(proxy.order(&named("origin.test", &live)).await.body, "live");
    assert!(dns.queries(RecordType::AAAA).is_empty());
}

#[tokio::test]
async fn concurrent_lookups_of_a_name_share_one_query() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let proxy = resolving(&dns.toml()).await;
    let peer = named("origin.test", &live);
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(proxy.client().await);
    }
    let requests = clients.into_iter().map(|mut client| {
        let peer = peer.clone();
        tokio::spawn(async move { client.order(&peer).await.body })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.expect("a reply"), "live");
    }
    assert_eq!(dns.queries(RecordType::A).len(), 1);
}

#[tokio::test]
async fn connections_to_a_name_are_reused() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.1"])]).await;
    let proxy = resolving(&dns.toml()).await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        assert_eq!(client.order(&named("origin.test", &live)).await.body, "live");
    }
    assert_eq!(live.connections(), 1);
}
