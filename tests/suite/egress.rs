//! Where connections may go, over real sockets: no socket on this machine receives a request that was not granted.

use pointsman_tests::connect_proxy::Behaviour;
use pointsman_tests::{ConnectProxy, NameServer, Proxy, Tenant, Upstream, example};

/// A tenant with only these grants.
fn confined(grants: &str) -> Tenant {
    Tenant::new("lab").module(example("lab"), "").table(&format!("[tenant.grants]\n{grants}")).confined()
}

#[tokio::test]
async fn addresses_beyond_the_public_internet_need_a_grant() {
    let live = Upstream::answering("live").start().await;
    let port = live.address().port();
    let proxy = Proxy::with(confined("networks = [\"127.0.0.8/29\"]")).start().await;
    for address in ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "0.0.0.0"] {
        let reply = proxy.order(format!(r#"{{"address": "{address}:{port}"}}"#)).await;
        assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")), "{address}");
    }
    let cause = &proxy.log(1).await[0]["error"]["cause"];
    assert!(
        cause.as_str().is_some_and(|cause| cause.contains("`peer.address`") && cause.contains("`networks`")),
        "{cause}"
    );
    assert_eq!(live.connections(), 0);
    // Granted, but nothing listens there.
    let reply = proxy.order(format!(r#"{{"address": "127.0.0.9:{port}"}}"#)).await;
    assert_eq!(reply.code(), Some("upstream-refused"));
}

#[tokio::test]
async fn proxies_need_a_grant_as_well() {
    let live = Upstream::answering("live").start().await;
    let tunnel = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
    let proxy = Proxy::with(confined("")).start().await;
    let peer = format!(r#"{{"address": "1.1.1.1:80", "connect-proxy": {{"address": "{}"}}}}"#, tunnel.address());
    assert_eq!(proxy.order(peer).await.code(), Some("decision-refused"));
    assert!(tunnel.requests().is_empty());
}

#[tokio::test]
async fn name_that_resolves_to_a_forbidden_address_fails_the_attempt() {
    let live = Upstream::answering("live").start().await;
    let port = live.address().port();
    let dns = NameServer::with(60, &[("inner.test", &["127.0.0.1", "::1", "::ffff:127.0.0.1"])]).await;
    let proxy = Proxy::with(confined("")).resolver(&dns.toml()).start().await;
    let reply = proxy.order(format!(r#"{{"address": "inner.test:{port}"}}"#)).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-resolve")));
    let cause = &proxy.log(1).await[0]["error"]["cause"];
    assert!(cause.as_str().is_some_and(|cause| cause.contains("`inner.test` leads to")), "{cause}");
    assert_eq!(live.connections(), 0);
}

/// DNS rebinding: the second answer leads elsewhere, and must not reuse a pooled connection to the first.
#[tokio::test]
async fn every_dns_answer_is_checked_against_the_egress_policy() {
    let live = Upstream::answering("live").start().await;
    let port = live.address().port();
    let dns = NameServer::with(0, &[("origin.test", &["127.0.0.1"])]).await;
    let resolver = format!("{}\nmin_ttl_s = 0\nstale_s = 0", dns.toml());
    let proxy = Proxy::with(confined("networks = [\"127.0.0.1\"]")).resolver(&resolver).start().await;
    let mut client = proxy.client().await;
    let peer = format!(r#"{{"address": "origin.test:{port}"}}"#);
    assert_eq!(client.order(&peer).await.body, "live");
    dns.move_to("127.0.0.2");
    assert_eq!(client.order(&peer).await.code(), Some("upstream-resolve"));
    assert_eq!(live.requests().len(), 1);
}

#[tokio::test]
async fn only_the_allowed_addresses_of_a_name_are_used() {
    let live = Upstream::answering("live").start().await;
    let dns = NameServer::with(60, &[("mixed.test", &["10.255.255.1", "127.0.0.1", "169.254.169.254"])]).await;
    let proxy = Proxy::with(confined("networks = [\"127.0.0.1\"]")).resolver(&dns.toml()).start().await;
    for _ in 0..4 {
        let reply = proxy.order(format!(r#"{{"address": "mixed.test:{}"}}"#, live.address().port())).await;
        assert_eq!(reply.body, "live");
    }
}

#[tokio::test]
async fn proxy_never_connects_to_itself() {
    let dns = NameServer::with(60, &[("self.test", &["127.0.0.1"])]).await;
    let proxy = Proxy::with(confined("networks = [\"0.0.0.0/0\"]")).resolver(&dns.toml()).start().await;
    let port = proxy.address().port();
    for (peer, code) in [
        (format!(r#"{{"address": "127.0.0.1:{port}"}}"#), "decision-refused"),
        (format!(r#"{{"address": "0.0.0.0:{port}"}}"#), "decision-refused"),
        (
            format!(r#"{{"address": "1.1.1.1:80", "connect-proxy": {{"address": "127.0.0.1:{port}"}}}}"#),
            "decision-refused",
        ),
        (format!(r#"{{"address": "self.test:{port}"}}"#), "upstream-resolve"),
    ] {
        assert_eq!(proxy.order(&peer).await.code(), Some(code), "{peer}");
    }
    assert!(proxy.log(4).await.iter().all(|line| line["attempts"].as_u64().is_some_and(|attempts| attempts <= 3)));
}

#[tokio::test]
async fn ports_of_other_protocols_need_a_grant() {
    let dns = NameServer::with(60, &[("origin.test", &["127.0.0.9"])]).await;
    for (granted, expected) in [("", "decision-refused"), ("ports = [25]", "upstream-refused")] {
        let grants = format!("networks = [\"127.0.0.9\"]\n{granted}");
        let proxy = Proxy::with(confined(&grants)).resolver(&dns.toml()).start().await;
        for host in ["127.0.0.9", "origin.test"] {
            // Nothing listens there.
            let reply = proxy.order(format!(r#"{{"address": "{host}:25"}}"#)).await;
            assert_eq!(reply.code(), Some(expected), "{host} {granted}");
        }
    }
}
