//! Which requests share a pooled connection to the upstream.

use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::{Proxy, Tenant, Upstream, example};

/// Two requests, one after the other, whose peers are `address` with these further fields; how many connections did the
/// upstream see?
async fn connections(first: &str, second: &str) -> usize {
    let upstream = Upstream::answering("live").start().await;
    let grants = "[tenant.grants]\nbind_to = true";
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "").table(grants)).start().await;
    let mut client = proxy.client().await;
    for more in [first, second] {
        let peer = format!(r#"{{"address": "{}"{more}}}"#, upstream.address());
        let request = get("http://lab.test/").header("pointsman-lab", format!(r#"{{"route": {{"peer": {peer}}}}}"#));
        let reply = client.send(request.body(Full::default()).expect("a request")).await.expect("a response");
        assert_eq!((reply.status, reply.body.as_str()), (200, "live"), "{peer}");
    }
    upstream.connections()
}

#[tokio::test]
async fn equal_peers_share_a_connection() {
    assert_eq!(connections("", "").await, 1);
    let more = r#", "isolation": "a", "socket": {"dscp": 8}"#;
    assert_eq!(connections(more, more).await, 1);
}

#[tokio::test]
async fn timeouts_do_not_separate() {
    assert_eq!(connections("", r#", "timeouts": {"read-ms": 1000, "connect-ms": 900}"#).await, 1);
}

#[tokio::test]
async fn idle_timeout_of_zero_keeps_nothing() {
    let more = r#", "timeouts": {"idle-ms": 0}"#;
    assert_eq!(connections(more, more).await, 2);
}

#[tokio::test]
async fn peers_that_differ_in_one_attribute_never_share() {
    for more in [
        r#", "isolation": "a""#,
        r#", "bind-to": {"address": "127.0.0.1"}"#,
        r#", "tcp-keepalive": {"idle-s": 10, "interval-s": 10, "count": 3, "user-timeout-ms": 0}"#,
        r#", "socket": {"dscp": 8}"#,
        r#", "socket": {"tcp-recv-buf": 65536}"#,
        r#", "socket": {"tcp-fast-open": true}"#,
        r#", "http": {"alpn": "h2"}"#,
        r#", "http": {"upgrade": "deny"}"#,
        r#", "http": {"quirks": ["keep-hop-by-hop"]}"#,
    ] {
        assert_eq!(connections("", more).await, 2, "{more}");
    }
}

#[tokio::test]
async fn tenants_never_share() {
    let upstream = Upstream::answering("live").start().await;
    let config = format!("upstreams = [\"{}\"]", upstream.address());
    let proxy = Proxy::with(Tenant::new("a").module(example("failover"), &config))
        .and(Tenant::new("b").module(example("failover"), &config))
        .start()
        .await;
    let mut client = proxy.client().await;
    for host in ["a", "b", "a", "b"] {
        assert_eq!(client.get(&format!("http://{host}.test/")).await.body, "live");
    }
    assert_eq!(upstream.connections(), 2);
}
