//! CONNECT proxies: the requests to them, the traffic through them, and their refusals.

use pointsman_tests::connect_proxy::Behaviour;
use pointsman_tests::{Authority, ConnectProxy, NameServer, Proxy, Reply, Tenant, Upstream, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn lab() -> Tenant {
    Tenant::new("lab").module(example("lab"), "").table("[tenant.limits]\nattempts = 1")
}

/// The response to a request with this peer, through a proxy with no other settings.
async fn through(peer: &str) -> Reply {
    Proxy::with(lab()).start().await.order(peer).await
}

/// A peer behind a CONNECT proxy, with these further fields.
fn behind(proxy: &ConnectProxy, target: &str, more: &str) -> String {
    format!(r#"{{"address": "{target}", "connect-proxy": {{"address": "{}"}}{more}}}"#, proxy.address())
}

#[tokio::test]
async fn tunnel_for_plain_http_is_reused() {
    let live = Upstream::answering("live").start().await;
    let tunnel = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
    let proxy = Proxy::with(lab()).start().await;
    let mut client = proxy.client().await;
    let header = r#"{"name": "proxy-authorization", "value": "Basic c2VjcmV0"}"#;
    let peer = format!(
        r#"{{"address": "{}", "connect-proxy": {{"address": "{}", "headers": [{header}]}}}}"#,
        live.address(),
        tunnel.address()
    );
    for _ in 0..3 {
        assert_eq!(client.order(&peer).await.body, "live");
    }
    let target = live.address();
    let expected =
        format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Basic c2VjcmV0\r\n\r\n");
    assert_eq!(tunnel.requests(), [expected]);
    assert!(
        live.requests()
            .iter()
            .all(|received| received.header("proxy-authorization").is_none() && received.uri.path() == "/")
    );
    assert_eq!(proxy.log(1).await[0]["upstream_address"], tunnel.address());
}

#[tokio::test]
async fn tls_is_negotiated_with_the_upstream_through_the_tunnel() {
    let authority = Authority::new("upstream");
    for protocol in ["h1", "h2"] {
        let leaf = authority.leaf(&["api.test"]);
        let live = Upstream::answering("live").tls(&leaf, &["h2", "http/1.1"]).start().await;
        let tunnel = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
        let proxy = Proxy::with(lab()).trusting(&authority).start().await;
        let more = format!(r#", "tls": {{"sni": "api.test"}}, "http": {{"alpn": "{protocol}"}}"#);
        let mut client = proxy.client().await;
        for _ in 0..2 {
            assert_eq!(client.order(&behind(&tunnel, "1.1.1.1:443", &more)).await.body, "live", "{protocol}");
        }
        assert_eq!(live.requests()[0].sni.as_deref(), Some("api.test"));
        assert_eq!(live.connections(), 1);
        assert!(tunnel.requests()[0].starts_with("CONNECT 1.1.1.1:443 HTTP/1.1\r\n"));

        let other = behind(&tunnel, "1.1.1.1:443", r#", "tls": {"sni": "other.test"}"#);
        assert_eq!(client.order(&other).await.code(), Some("upstream-certificate"));
    }
}

/// An HTTP/2 server sends first. This one speaks HTTP/1.1 and sends early, which is equivalent and easier to see.
#[tokio::test]
async fn bytes_after_the_connect_response_are_not_lost() {
    let eager = Upstream::raw(|mut stream, _| async move {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\neager";
        stream.write_all(reply).await.expect("the reply is sent");
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let tunnel = ConnectProxy::tcp(Behaviour::OpenTogether(eager.address())).await;
    let reply = through(&behind(&tunnel, "1.1.1.1:80", r#", "timeouts": {"read-ms": 1000}"#)).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "eager"));
}

#[tokio::test]
async fn connect_proxy_on_a_unix_socket_needs_a_grant() {
    let live = Upstream::answering("live").start().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let tunnel = ConnectProxy::unix(&folder.path().join("proxy.sock"), Behaviour::Open(live.address()));
    let grants = format!("[tenant.grants]\nunix_sockets = [\"{}/\"]", folder.path().display());
    let proxy = Proxy::with(lab().table(&grants)).start().await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        assert_eq!(client.order(&behind(&tunnel, "api.test:80", "")).await.body, "live");
    }
    assert_eq!(tunnel.requests().len(), 1);
    assert!(tunnel.requests()[0].starts_with("CONNECT api.test:80 HTTP/1.1\r\nhost: api.test:80\r\n"));

    let reply = through(&behind(&tunnel, "api.test:80", "")).await;
    assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")));
}

/// The host looks up the proxy's name, the proxy that of the target.
#[tokio::test]
async fn connect_proxy_resolves_the_upstreams_name() {
    let live = Upstream::answering("live").start().await;
    let tunnel = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
    let dns = NameServer::with(60, &[("proxy.test", &["127.0.0.2", "127.0.0.1"])]).await;
    let proxy = Proxy::with(lab()).resolver(&dns.toml()).start().await;
    let port = tunnel.address().rsplit_once(':').expect("a port").1.to_owned();
    let peer =
        format!(r#"{{"address": "inner.test:80", "connect-proxy": {{"address": "proxy.test:{port}"}}, "isolation": "#);
    for isolation in ["1", "2", "3"] {
        assert_eq!(proxy.order(&format!("{peer}\"{isolation}\"}}")).await.body, "live");
    }
    assert!(tunnel.requests().iter().all(|head| head.starts_with("CONNECT inner.test:80 ")));
    assert!(!dns.queries(hickory_proto::rr::RecordType::A).contains(&"inner.test".to_owned()));
}

#[tokio::test]
async fn refusals_are_reported_to_the_module_by_kind() {
    use Behaviour::{Respond, Silent};
    for (behaviour, status, code, failure) in [
        (Respond("HTTP/1.1 407 Who are you\r\n\r\n"), 502, "upstream-proxy-refused", "proxy-refused-407"),
        (Respond("HTTP/1.1 502 No\r\ncontent-length: 2\r\n\r\nno"), 502, "upstream-proxy-refused", "proxy-refused-502"),
        (Respond("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 502, "upstream-proxy", "connect-proxy-protocol"),
        (Respond(""), 502, "upstream-proxy", "connect-proxy-closed"),
        (Silent, 504, "upstream-proxy-timeout", "connect-proxy-timeout"),
    ] {
        let tunnel = ConnectProxy::tcp(behaviour).await;
        let proxy = Proxy::with(lab()).start().await;
        let peer = behind(&tunnel, "1.1.1.1:80", r#", "timeouts": {"connect-ms": 200}"#);
        let reply = proxy.order(&peer).await;
        assert_eq!((reply.status, reply.code()), (status, Some(code)), "{behaviour:?}");
        let attempt = &proxy.log(1).await[0]["failed_attempts"][0];
        assert_eq!((&attempt["failure"], &attempt["upstream"]), (&failure.into(), &"1.1.1.1:80".into()));
    }
}

#[tokio::test]
async fn silent_connect_proxy_ends_at_the_total_connect_timeout() {
    let tunnel = ConnectProxy::tcp(Behaviour::Silent).await;
    let reply = through(&behind(&tunnel, "1.1.1.1:80", r#", "timeouts": {"total-connect-ms": 200}"#)).await;
    assert_eq!((reply.status, reply.code()), (504, Some("upstream-proxy-timeout")));
}

#[tokio::test]
async fn unreachable_connect_proxy_is_a_connect_failure() {
    let closed = Upstream::closed_port();
    let reply = through(&format!(r#"{{"address": "1.1.1.1:80", "connect-proxy": {{"address": "{closed}"}}}}"#)).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-refused")));
}

#[tokio::test]
async fn module_sees_the_refusal_and_can_choose_another_peer() {
    let live = Upstream::answering("live").start().await;
    let tunnel = ConnectProxy::tcp(Behaviour::Respond("HTTP/1.1 407 Who are you\r\n\r\n")).await;
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await;
    let orders = format!(r#"[{}, {{"address": "{}"}}]"#, behind(&tunnel, "1.1.1.1:80", ""), live.address());
    assert_eq!(proxy.order(&orders).await.body, "live");
}

#[tokio::test]
async fn different_tunnels_are_never_shared() {
    let live = Upstream::answering("live").start().await;
    let tunnel = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
    let other = ConnectProxy::tcp(Behaviour::Open(live.address())).await;
    let proxy = Proxy::with(lab()).start().await;
    let mut client = proxy.client().await;
    let with_header = format!(
        r#"{{"address": "a.test:80", "connect-proxy": {{"address": "{}", "headers": [{{"name": "a", "value": "1"}}]}}}}"#,
        tunnel.address()
    );
    let peers = [
        format!(r#"{{"address": "{}"}}"#, live.address()),
        behind(&tunnel, "a.test:80", ""),
        behind(&tunnel, "b.test:80", ""),
        behind(&tunnel, "a.test:81", ""),
        behind(&other, "a.test:80", ""),
        with_header,
    ];
    for _ in 0..2 {
        for peer in &peers {
            assert_eq!(client.order(peer).await.body, "live", "{peer}");
        }
    }
    assert_eq!(live.connections(), peers.len());
    assert_eq!((tunnel.requests().len(), other.requests().len()), (4, 1));
}
