//! Which parts of HTTP/1.1's connection management reach the upstream, and how its oddities are handled.

use pointsman_tests::{Proxy, ReceivedRequest, Tenant, Upstream, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn proxy() -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "").table("[tenant.limits]\nattempts = 1")).start().await
}

/// The head of the reply to a request with these further header lines, whose peer has these fields of `http`.
async fn reply(upstream: &Upstream, http: &str, lines: &str) -> String {
    let proxy = proxy().await;
    let mut client = proxy.raw().await;
    let peer = format!(r#"{{"address": "{}", "http": {{{http}}}}}"#, upstream.address());
    let request = format!("GET / HTTP/1.1\r\nhost: lab.test\r\npointsman-lab: {peer}\r\n{lines}\r\n");
    client.write_all(request.as_bytes()).await.expect("the request is sent");
    let mut reply = Vec::new();
    while !reply.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(client.read_buf(&mut reply).await.expect("a reply"), 0, "the connection ended");
    }
    String::from_utf8_lossy(&reply).into_owned()
}

/// The request as the upstream received it.
async fn received(http: &str, lines: &str) -> ReceivedRequest {
    let upstream = Upstream::answering("live").start().await;
    let reply = reply(&upstream, http, lines).await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    upstream.only_request()
}

#[tokio::test]
async fn hop_by_hop_headers_are_removed_unless_a_quirk_keeps_them() {
    let lines = "keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: trailers\r\nx-end: 1\r\n";
    let stripped = received("", lines).await;
    assert_eq!((stripped.header("keep-alive"), stripped.header("proxy-connection")), (None, None));
    assert_eq!(stripped.header("x-end"), Some("1"));
    let kept = received(r#""quirks": ["keep-hop-by-hop"]"#, lines).await;
    assert_eq!(kept.header("keep-alive"), Some("timeout=5"));
}

#[tokio::test]
async fn headers_named_in_connection_are_removed_unless_a_quirk_keeps_them() {
    let lines = "connection: x-hop\r\nx-hop: 1\r\n";
    assert_eq!(received("", lines).await.header("x-hop"), None);
    assert_eq!(received(r#""quirks": ["keep-connection-nominated"]"#, lines).await.header("x-hop"), Some("1"));
}

#[tokio::test]
async fn malformed_connection_header_is_refused_unless_a_quirk_accepts_it() {
    let lines = "connection: x hop\r\n";
    let upstream = Upstream::answering("live").start().await;
    let refused = reply(&upstream, "", lines).await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(upstream.requests().is_empty());
    received(r#""quirks": ["accept-malformed-connection"]"#, lines).await;
}

#[tokio::test]
async fn invalid_content_length_is_refused_unless_a_quirk_accepts_it() {
    let odd = Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: some\r\n\r\nbody").await;
    })
    .await;
    let refused = reply(&odd, "", "").await;
    assert!(refused.starts_with("HTTP/1.1 502 ") && refused.contains("upstream-protocol"), "{refused}");
    let taken = reply(&odd, r#""quirks": ["accept-invalid-content-length"]"#, "").await;
    assert!(taken.starts_with("HTTP/1.1 200 "), "{taken}");
}

#[tokio::test]
async fn upgrades_are_forwarded_as_the_peer_configures() {
    let websocket = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let other = "connection: upgrade\r\nupgrade: chat\r\n";
    for (policy, lines, expected) in [
        (r#""upgrade": "websocket""#, websocket, Some("websocket")),
        (r#""upgrade": "websocket""#, other, None),
        (r#""upgrade": "any""#, websocket, Some("websocket")),
        (r#""upgrade": "any""#, other, Some("chat")),
        (r#""upgrade": "deny""#, websocket, None),
        (r#""upgrade": "deny""#, other, None),
    ] {
        // The upstream ignores the upgrade and answers as if none had been requested.
        assert_eq!(received(policy, lines).await.header("upgrade"), expected, "{policy}, {lines}");
    }
}
