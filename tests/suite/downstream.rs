//! The client's side: protocols, TLS, upgrades, limits for heads, and orderly shutdown.

use std::time::{Duration, Instant};

use http::Version;
use pointsman::server::ShutdownOutcome;
use pointsman_tests::{Authority, Client, Proxy, Tenant, Upstream, eventually, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn fixed(upstream: &Upstream) -> Tenant {
    Tenant::new("shop").module(example("failover"), &format!("upstreams = [\"{}\"]", upstream.address()))
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset also counts as an end.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn http1_and_http2_share_a_listener_without_tls() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).start().await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.version, reply.body.as_str()), (Version::HTTP_11, "live"));
    let reply = Client::http2(proxy.address()).await.get("http://shop.test/").await;
    assert_eq!((reply.version, reply.body.as_str()), (Version::HTTP_2, "live"));
}

#[tokio::test]
async fn tls_listener_negotiates_http_by_alpn() {
    let live = Upstream::answering("live").start().await;
    let leaf = Authority::new("downstream").leaf(&["shop.test"]);
    let proxy = Proxy::with(fixed(&live)).tls(&leaf).start().await;
    for (offer, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"][..], Version::HTTP_11), (&[][..], Version::HTTP_11)]
    {
        let mut client = Client::tls(proxy.address_of("tls"), "shop.test", offer).await;
        let reply = client.get("https://shop.test/").await;
        assert_eq!((reply.status, reply.version, reply.body.as_str()), (200, version, "live"), "{offer:?}");
    }
}

#[tokio::test]
async fn connection_serves_many_requests() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).start().await;
    let mut client = proxy.client().await;
    for number in 0..20 {
        assert_eq!(client.get(&format!("http://shop.test/{number}")).await.status, 200);
    }
    assert_eq!(live.connections(), 1);
}

/// 18 bytes: fewer than the start of an HTTP/2 connection, which a listener looks for.
#[tokio::test]
async fn shortest_http1_request_is_answered_at_once() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live).hostnames(&["*"])).start().await;
    let mut stream = proxy.raw().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("sent");
    let reply = read_all(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200") || reply.starts_with("HTTP/1.0 200"), "{reply}");
}

#[tokio::test]
async fn websocket_data_passes_in_both_directions() {
    let upstream = Upstream::raw(|mut stream, _| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the request head"));
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                  sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            )
            .await
            .expect("the answer is sent");
        let mut frame = [0; 5];
        while stream.read_exact(&mut frame).await.is_ok() {
            frame.reverse();
            stream.write_all(&frame).await.expect("the echo is sent");
        }
    })
    .await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let talk = async || -> std::io::Result<()> {
        let mut stream = proxy.raw().await;
        stream
            .write_all(
                b"GET /chat HTTP/1.1\r\nhost: shop.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                  sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        for _ in 0..3 {
            stream.write_all(b"hello").await?;
            let mut echo = [0; 5];
            stream.read_exact(&mut echo).await?;
            assert_eq!(&echo, b"olleh");
        }
        Ok(())
    };
    // Pingora 0.9.1 ends an upgraded connection whose upstream responded before Pingora had sent the end of the
    // request, which has no body: here a few per cent of them, since the upstream responds at once.
    for _ in 0..10 {
        if talk().await.is_ok() {
            return;
        }
    }
    panic!("no echo in ten connections");
}

/// A header every 100 ms would keep any timeout for each read from firing.
#[tokio::test]
async fn slow_head_is_disconnected_at_the_deadline() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("head_timeout_ms = 1000").start().await;
    let mut stream = proxy.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n").await.expect("sent");
    let (mut reader, mut writer) = stream.split();
    let start = Instant::now();
    let trickle = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if writer.write_all(b"x-slow: 1\r\n").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut reply = Vec::new();
    tokio::select! {
        _ = reader.read_to_end(&mut reply) => {}
        () = trickle => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("still connected after {:?}", start.elapsed()),
    }
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert_eq!(live.connections(), 0);
}

/// The time for a head counts from its first byte, so it does not apply to an idle connection.
#[tokio::test]
async fn idle_connection_outlives_the_head_deadline() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("head_timeout_ms = 300").start().await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("http://shop.test/").await.status, 200);
    // Twice the deadline has passed when a second connection has been refused twice in a row.
    for _ in 0..2 {
        let mut slow = proxy.raw().await;
        slow.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
        assert!(read_all(&mut slow).await.starts_with("HTTP/1.1 408"));
    }
    assert_eq!(client.get("http://shop.test/").await.status, 200);
}

#[tokio::test]
async fn idle_connection_ends_at_the_keepalive_timeout() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("keepalive_timeout_ms = 1000").start().await;
    let mut stream = proxy.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").await.expect("sent");
    let reply = tokio::time::timeout(Duration::from_secs(20), read_all(&mut stream)).await.expect("it ends");
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("live"), "{reply}");
}

#[tokio::test]
async fn head_that_is_too_large_is_refused() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).listener("max_head_bytes = 4096").start().await;
    // One that is complete, and one that would never end.
    for end in ["\r\n\r\n", ""] {
        let mut stream = proxy.raw().await;
        let head = format!("GET / HTTP/1.1\r\nhost: shop.test\r\nx-large: {}{end}", "x".repeat(20_000));
        // The proxy may close the connection while the rest is still on its way.
        let _ = stream.write_all(head.as_bytes()).await;
        let reply = read_all(&mut stream).await;
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431"), "{reply}");
    }
    assert_eq!(live.connections(), 0);
    assert_eq!(proxy.get("http://shop.test/").await.status, 200);
}

#[tokio::test]
async fn malformed_requests_do_not_affect_others() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&live)).start().await;
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: shop.test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"GET http://[ HTTP/1.1\r\nhost: shop.test\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nhost: \xff\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, but long enough to be one",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut stream = proxy.raw().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let reply = read_all(&mut stream).await;
        assert!(!reply.starts_with("HTTP/1.1 200"), "{}: {reply}", bytes.escape_ascii());
    }
    assert_eq!(proxy.get("http://shop.test/").await.status, 200);
}

/// An upstream that responds when the test releases it.
async fn answering_on_demand() -> (Upstream, oneshot::Sender<()>) {
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let upstream = Upstream::raw(move |mut stream, _| {
        let released = released.lock().expect("the signal").take();
        async move {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            if let Some(released) = released {
                let _ = released.await;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate").await;
        }
    })
    .await;
    (upstream, release)
}

#[tokio::test]
async fn shutdown_ends_when_the_last_request_in_flight_ends() {
    let (upstream, release) = answering_on_demand().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let address = proxy.address();
    let mut client = proxy.client().await;
    let request = tokio::spawn(async move { client.get("http://shop.test/").await });
    eventually("the request at the upstream", || (upstream.connections() == 1).then_some(())).await;

    let stop = tokio::spawn(proxy.stop());
    // No new connections: the listener closes at once.
    loop {
        if TcpStream::connect(address).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!stop.is_finished());
    release.send(()).expect("the upstream waits");
    assert_eq!(request.await.expect("a reply").body, "late");
    assert_eq!(stop.await.expect("no panic"), ShutdownOutcome::Clean);
}

#[tokio::test]
async fn shutdown_aborts_requests_that_do_not_end() {
    let (upstream, _release) = answering_on_demand().await;
    let proxy = Proxy::with(fixed(&upstream)).proxy("").start().await;
    let mut stream = proxy.raw().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n").await.expect("sent");
    eventually("the request at the upstream", || (upstream.connections() == 1).then_some(())).await;
    assert_eq!(proxy.stop().await, ShutdownOutcome::CutOff(1));
}
