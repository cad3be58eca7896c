//! Every timeout fires, for upstreams that stall at exactly that point.

use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::dns::Entry;
use pointsman_tests::h2_frames::{Behaviour, FrameUpstream};
use pointsman_tests::{Answer, NameServer, Proxy, Tenant, Upstream, eventually, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

async fn proxy() -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "").table("[tenant.limits]\nattempts = 1")).start().await
}

/// Asserts the failure of a peer at this address with this timeout and these further fields.
async fn check(address: SocketAddr, timeout: &str, more: &str, code: &str, failure: &str) {
    let proxy = proxy().await;
    let peer = format!(r#"{{"address": "{address}", "timeouts": {{{timeout}}}{more}}}"#);
    let reply = proxy.order(&peer).await;
    assert_eq!((reply.status, reply.code()), (504, Some(code)), "{peer}");
    assert_eq!(proxy.log(1).await[0]["failed_attempts"][0]["failure"], failure, "{peer}");
}

const TLS: &str = r#", "tls": {"sni": "api.test"}"#;

/// An upstream that accepts, reads and never sends anything.
async fn silent() -> Upstream {
    Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 1024];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await
}

/// A listener that accepts nothing, with a full backlog: the kernel drops any further connection.
struct Unaccepting {
    listener: TcpListener,
    _filling: Vec<TcpStream>,
}

impl Unaccepting {
    async fn new() -> Unaccepting {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut filling = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(Ok(stream)) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
            filling.push(stream);
        }
        Unaccepting { listener, _filling: filling }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }
}

#[tokio::test]
async fn connection_that_is_not_accepted_ends_at_the_connect_timeout() {
    let full = Unaccepting::new().await;
    for more in ["", TLS] {
        check(full.address(), r#""connect-ms": 100"#, more, "upstream-connect-timeout", "connect-timeout").await;
    }
}

/// The lookup of a name takes its part of the time of all attempts. Here nothing is left of it, so the attempt gets the
/// last moment: 1 ms.
#[tokio::test]
async fn lookup_counts_in_the_total_time_of_a_request() {
    let full = Unaccepting::new().await;
    let slow = Entry::slow(Duration::from_millis(700), &["127.0.0.1"]);
    let dns = NameServer::of(60, [("origin.test", slow)].into()).await;
    let tenant = Tenant::new("lab").module(example("lab"), "").table("[tenant.upstream]\noverall_timeout_ms = 500");
    let proxy = Proxy::with(tenant).resolver(&dns.toml()).start().await;
    let reply = proxy.order(format!(r#"{{"address": "origin.test:{}"}}"#, full.address().port())).await;
    assert_eq!(reply.code(), Some("upstream-connect-timeout"));
    let log = proxy.log(1).await;
    let cause = log[0]["error"]["cause"].as_str().expect("a cause");
    assert!(cause.contains("timeout 1ms"), "{cause}");
}

#[tokio::test]
async fn connection_that_is_not_accepted_ends_at_the_total_connect_timeout() {
    let full = Unaccepting::new().await;
    for more in ["", TLS] {
        check(full.address(), r#""total-connect-ms": 100"#, more, "upstream-connect-timeout", "connect-timeout").await;
    }
}

#[tokio::test]
async fn stalled_handshake_ends_at_either_timeout() {
    let silent = silent().await;
    for timeout in [r#""connect-ms": 100"#, r#""total-connect-ms": 100"#] {
        check(silent.address(), timeout, TLS, "upstream-tls-timeout", "tls-timeout").await;
    }
}

#[tokio::test]
async fn silent_upstream_ends_at_the_read_timeout() {
    check(silent().await.address(), r#""read-ms": 100"#, "", "upstream-read-timeout", "receive-timeout").await;
    let h2 = r#", "http": {"alpn": "h2"}"#;
    check(silent().await.address(), r#""read-ms": 100"#, h2, "upstream-read-timeout", "receive-timeout").await;
}

/// The client has the head already: all that can be done is to abort the response.
#[tokio::test]
async fn response_that_stalls_is_cut_off_at_the_read_timeout() {
    let stalling = Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let proxy = proxy().await;
    let peer = format!(r#"{{"address": "{}", "timeouts": {{"read-ms": 100}}}}"#, stalling.address());
    let request = get("http://lab.test/").header("pointsman-lab", peer).body(Full::default()).expect("a request");
    assert!(proxy.client().await.send(request).await.is_err(), "the response looks complete");
    let line = &proxy.log(1).await[0];
    assert_eq!((&line["status"], &line["error"]["code"]), (&200.into(), &"upstream-read-timeout".into()));
}

#[tokio::test]
async fn upstream_that_stops_reading_ends_at_the_write_timeout() {
    // It never reads, and keeps the connection open.
    let deaf = Upstream::raw(|stream, _| async move {
        Notify::new().notified().await;
        drop(stream);
    })
    .await;
    let proxy = proxy().await;
    // The upstream may have answered before it stopped reading: the proxy waits for that as long as for any response.
    let peer = format!(r#"{{"address": "{}", "timeouts": {{"write-ms": 200, "read-ms": 200}}}}"#, deaf.address());
    // More than fits in all buffers on the way.
    let body = Full::from(vec![0; 32 * 1024 * 1024]);
    let request = Request::post("http://lab.test/").header("pointsman-lab", peer).body(body).expect("a request");
    // The client is still sending when the response arrives, and may be disconnected before it reads it.
    if let Ok(reply) = proxy.client().await.send(request).await {
        assert_eq!((reply.status, reply.code()), (504, Some("upstream-write-timeout")));
    }
    let line = &proxy.log(1).await[0];
    assert_eq!((&line["status"], &line["error"]["code"]), (&504.into(), &"upstream-write-timeout".into()));
    assert_eq!(line["failed_attempts"][0]["failure"], "send-timeout");
}

#[tokio::test]
async fn http2_upstream_that_accepts_no_body_ends_at_the_read_timeout() {
    let closed = FrameUpstream::start(Behaviour::NoWindow).await;
    let proxy = proxy().await;
    let timeouts = r#""timeouts": {"write-ms": 100, "read-ms": 300}"#;
    let peer = format!(r#"{{"address": "{}", "http": {{"alpn": "h2"}}, {timeouts}}}"#, closed.upstream.address());
    let body = Full::from(vec![0; 100_000]);
    let request = Request::post("http://lab.test/").header("pointsman-lab", peer).body(body).expect("a request");
    let reply = proxy.client().await.send(request).await.expect("a response");
    assert_eq!((reply.status, reply.code()), (504, Some("upstream-read-timeout")));
}

/// It is Pingora's clock, and it does not wait for the request to be complete; but then it is the client that is late.
#[tokio::test]
async fn read_timeout_runs_while_the_client_is_still_sending() {
    let upstream = Upstream::with(|request| Answer::ok(request.body.clone())).start().await;
    for alpn in ["h1", "h2"] {
        let proxy = proxy().await;
        let mut client = proxy.raw().await;
        let (address, timeouts) = (upstream.address(), r#""timeouts": {"read-ms": 200}"#);
        let peer = format!(r#"{{"address": "{address}", "http": {{"alpn": "{alpn}"}}, {timeouts}}}"#);
        let head = format!("POST / HTTP/1.1\r\nhost: lab.test\r\npointsman-lab: {peer}\r\ncontent-length: 4\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("the head is sent");
        // The body never arrives.
        let mut reply = String::new();
        client.read_to_string(&mut reply).await.expect("a reply");
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("request-timeout"), "{alpn}: {reply}");
    }
}

/// An upstream that answers each request, and counts the connections whose end it has seen.
#[tokio::test]
async fn idle_connection_is_closed_at_the_idle_timeout() {
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = ended.clone();
    let upstream = Upstream::raw(move |mut stream, _| {
        let ended = counted.clone();
        async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("the answer is sent");
            }
            ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    })
    .await;
    let proxy = proxy().await;
    let idle = |ms: u32| {
        format!(r#"{{"address": "{}", "timeouts": {{"idle-ms": {ms}}}, "isolation": "{ms}"}}"#, upstream.address())
    };
    assert_eq!(proxy.order(&idle(60_000)).await.body, "ok");
    assert_eq!(proxy.order(&idle(50)).await.body, "ok");
    let one = || (ended.load(std::sync::atomic::Ordering::SeqCst) == 1).then_some(());
    eventually("the end of the idle connection", one).await;
    // The other one is still there, and used.
    assert_eq!(proxy.order(&idle(60_000)).await.body, "ok");
    assert_eq!(upstream.connections(), 2);
}
