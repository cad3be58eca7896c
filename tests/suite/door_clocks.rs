//! Clients that keep the proxy waiting, and limits on their number.

use std::time::Duration;

use pointsman_tests::raw::{read_all, read_reply};
use pointsman_tests::{Answer, Authority, Client, Proxy, Tenant, Upstream, eventually_async, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn fixed(upstream: &Upstream) -> Tenant {
    let module = format!("upstreams = [\"{}\"]", upstream.address());
    Tenant::new("shop").hostnames(&["*"]).module(example("failover"), &module)
}

async fn closed(proxy: &Proxy, reason: &str) {
    let series = format!("pointsman_closed_connections_total{{listener=\"plain\",reason=\"{reason}\"}}");
    eventually_async(&series, async || (proxy.metric(&series).await >= 1.0).then_some(())).await;
}

#[tokio::test]
async fn silent_client_is_disconnected_with_every_protocol() {
    let live = Upstream::answering("live").start().await;
    let leaf = Authority::new("downstream").leaf(&["shop.test"]);
    let proxy = Proxy::with(fixed(&live)).tls(&leaf).listener("first_byte_timeout_ms = 100\nhead_timeout_ms = 100");
    let proxy = proxy.start().await;
    // Silent from the start; in the middle of HTTP/2's preface; after it.
    for bytes in [&b""[..], b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut client = proxy.raw().await;
        client.write_all(bytes).await.expect("sent");
        let _ = read_all(&mut client).await;
    }
    closed(&proxy, "first-byte-timeout").await;
    // TLS, with HTTP/2 chosen and not.
    for alpn in [&["h2"][..], &["http/1.1"][..]] {
        let mut client = pointsman_tests::client::tls_stream(proxy.address_of("tls"), "shop.test", alpn).await;
        let _ = read_all(&mut client).await;
    }
    assert_eq!(proxy.get("http://shop.test/").await.status, 200);
}

#[tokio::test]
async fn tls_handshake_that_stalls_is_dropped_and_logged() {
    let live = Upstream::answering("live").start().await;
    let leaf = Authority::new("downstream").leaf(&["shop.test"]);
    let proxy = Proxy::with(fixed(&live)).tls(&leaf).tls_keys("handshake_timeout_ms = 100").start().await;
    let mut silent = TcpStream::connect(proxy.address_of("tls")).await.expect("a connection");
    assert_eq!(read_all(&mut silent).await, "");
    let mut plain = TcpStream::connect(proxy.address_of("tls")).await.expect("a connection");
    plain.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").await.expect("sent");
    let _ = read_all(&mut plain).await;
    let log = proxy.log(2).await;
    let codes: Vec<&str> = log.iter().filter_map(|line| line["error"]["code"].as_str()).collect();
    assert_eq!(codes, ["tls-handshake-timeout", "tls-handshake"]);
    assert!(log.iter().all(|line| line["client_ip"] == "127.0.0.1" && line["listener"] == "tls"), "{log:?}");
    assert_eq!(proxy.metric("pointsman_tls_handshakes_total{listener=\"tls\",outcome=\"tls-handshake\"}").await, 1.0);
}

#[tokio::test]
async fn slow_body_is_answered_with_408() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("body_timeout_ms = 200\nbody_bytes_per_s = 1000").start().await;
    for framing in ["content-length: 100000", "transfer-encoding: chunked"] {
        let client = proxy.raw().await;
        let (mut reader, mut writer) = client.into_split();
        writer.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n").as_bytes()).await.expect("sent");
        let trickle = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            loop {
                ticks.tick().await;
                if writer.write_all(b"1\r\nx\r\n").await.is_err() {
                    return;
                }
            }
        });
        let reply = read_all(&mut reader).await;
        trickle.abort();
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("pointsman-error: request-timeout"), "{reply}");
    }
    let log = proxy.log(2).await;
    assert!(log.iter().all(|line| line["error"]["code"] == "request-timeout" && line["status"] == 408), "{log:?}");
}

#[tokio::test]
async fn stalled_http2_body_is_attributed_to_the_client() {
    let live = Upstream::answering("live").start().await;
    let tenant = fixed(&live).table("[tenant.upstream]\nread_timeout_ms = 300");
    let proxy = Proxy::with(tenant).start().await;
    let (sender, connection) = pointsman_tests::client::http2_with_body(proxy.address()).await;
    let (body, reply) = sender.post("http://shop.test/").await;
    body.send("half").await;
    assert_eq!(reply.await.expect("a task").expect("a response").status, 408);
    drop((body, connection));
    assert_eq!(proxy.log(1).await[0]["error"]["code"], "request-timeout");
}

#[tokio::test]
async fn client_that_reads_nothing_is_dropped() {
    let large = Upstream::with(|_| Answer::ok(vec![b'x'; 30_000_000])).start().await;
    let proxy = Proxy::with(fixed(&large)).listener("send_timeout_ms = 200").start().await;
    let mut client = proxy.raw().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    closed(&proxy, "send-timeout").await;
    let mut received = Vec::new();
    let _ = client.read_to_end(&mut received).await;
    assert!(received.len() < 30_000_000, "{}", received.len());
}

#[tokio::test]
async fn requests_and_age_of_a_connection_are_bounded() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("max_requests = 2").start().await;
    let mut client = proxy.raw().await;
    let mut heads = Vec::new();
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
        heads.push(read_reply(&mut client).await.0.to_ascii_lowercase());
    }
    assert!(heads[0].contains("connection: keep-alive") && heads[1].contains("connection: close"), "{heads:?}");
    assert_eq!(read_all(&mut client).await, "");

    let mut client = Client::http2(proxy.address()).await;
    assert_eq!((client.get("http://a/").await.status, client.get("http://a/").await.status), (200, 200));
    let get = pointsman_tests::client::get("http://a/").body(Default::default()).expect("a request");
    eventually_async("the end of the connection", async || client.send(get.clone()).await.is_err().then_some(())).await;

    let proxy = Proxy::with(fixed(&live)).listener("max_age_ms = 1").start().await;
    let mut client = proxy.raw().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    let _ = read_reply(&mut client).await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    assert!(read_all(&mut client).await.to_ascii_lowercase().contains("connection: close"));
}

/// Even one that continues after GOAWAY, as a client may that has no requests to send.
#[tokio::test]
async fn idle_and_old_http2_connections_are_closed() {
    let live = Upstream::answering("live").start().await;
    for keys in ["keepalive_timeout_ms = 200", "max_age_ms = 200"] {
        let proxy = Proxy::with(fixed(&live)).listener(keys).start().await;
        let mut client = Client::http2(proxy.address()).await;
        assert_eq!(client.get("http://a/").await.status, 200);
        let open = "pointsman_connections{listener=\"plain\"}";
        eventually_async(keys, async || (proxy.metric(open).await == 0.0).then_some(())).await;
    }
}

#[tokio::test]
async fn connections_are_bounded_separately_for_the_admin_api() {
    let live = Upstream::answering("live").start().await;
    let keys = "max_connections = 20\nmax_connections_per_client = 4";
    let proxy = Proxy::with(fixed(&live)).listener(keys).start().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut client = proxy.raw().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
        let _ = read_reply(&mut client).await;
        held.push(client);
    }
    let mut refused = proxy.raw().await;
    assert_eq!(read_all(&mut refused).await, "");
    let series = "pointsman_refused_connections_total{listener=\"plain\",reason=\"max-connections-per-client\"}";
    assert_eq!(proxy.metric(series).await, 1.0);
    assert_eq!(proxy.metric("pointsman_connections{listener=\"plain\"}").await, 4.0);
    held.clear();
    eventually_async("room for another client", async || {
        let mut client = proxy.raw().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.ok()?;
        read_all(&mut client).await.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn admin_listener_enforces_the_same_timeouts() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).start().await;
    let mut client = TcpStream::connect(proxy.admin_address()).await.expect("a connection");
    client.write_all(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: b\r\n\r\n").await.expect("sent");
    let reply = read_all(&mut client).await;
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("\"code\": \"bad-request\""), "{reply}");
}

#[tokio::test]
async fn process_above_its_memory_limit_refuses_requests() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).proxy("memory_mib = 64").start().await;
    let held = vec![1_u8; 80 * 1024 * 1024];
    eventually_async("a refused connection", async || {
        let mut client = proxy.raw().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.ok()?;
        let reply = read_all(&mut client).await;
        (reply.is_empty() || reply.contains("pointsman-error: overloaded")).then_some(())
    })
    .await;
    assert!(held.iter().all(|byte| *byte == 1));
    // The admin API continues to work.
    let series = "pointsman_refused_connections_total{listener=\"plain\",reason=\"memory\"}";
    eventually_async("refused connections", async || {
        let _ = read_all(&mut proxy.raw().await).await;
        (proxy.metric(series).await >= 1.0).then_some(())
    })
    .await;
}
