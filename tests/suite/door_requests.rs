//! Which bytes the door accepts as an HTTP/1 request, and the form in which it reaches the upstream.

use pointsman_tests::raw::{read_all, read_reply};
use pointsman_tests::{Proxy, Tenant, Upstream, example};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn proxy(upstream: &Upstream) -> Proxy {
    let module = format!("upstreams = [\"{}\"]", upstream.address());
    Proxy::with(Tenant::new("shop").hostnames(&["*"]).module(example("failover"), &module)).start().await
}

/// Everything that the proxy sends in response to these bytes.
async fn exchange(proxy: &Proxy, bytes: &[u8]) -> String {
    let mut client = proxy.raw().await;
    client.write_all(bytes).await.expect("sent");
    read_all(&mut client).await
}

#[tokio::test]
async fn malformed_request_is_refused_with_a_code_and_logged_with_its_client() {
    let live = Upstream::answering("live").start().await;
    let proxy = proxy(&live).await;
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(300));
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000));
    let cases: [(&str, u16, &str); 18] = [
        ("GET / HTTP/1.1\r\n\r\n", 400, "bad-request"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("GET / HTTP/1.1\r\nhost: a/path\r\n\r\n", 400, "bad-request"),
        ("GET foo HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("GET @evil.example/x HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("Extra lineGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad-request"),
        ("GET / HTTP/1.1\nhost: a\n\n", 400, "bad-request"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello", 400, "bad-request"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", 400, "bad-request"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "transfer-coding"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;\r\nhello\r\n0\r\n\r\n",
            400,
            "bad-request",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
            400,
            "bad-request",
        ),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505, "http-version"),
        ("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n", 405, "connect-method"),
        (&many, 431, "head-too-large"),
        (&long, 414, "target-too-long"),
    ];
    for (bytes, status, code) in cases {
        let shown = &bytes[..bytes.len().min(80)];
        let reply = exchange(&proxy, bytes.as_bytes()).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {reply}");
        assert!(reply.contains(&format!("pointsman-error: {code}\r\n")), "{shown:?}: {reply}");
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{shown:?}: {reply}");
    }
    assert_eq!(proxy.get("http://shop.test/").await.status, 200);
    assert!(live.requests().iter().all(|received| received.body.is_empty()), "no part of a refused body was forwarded");
    let log = proxy.log(cases.len() + 1).await;
    assert_eq!(log.len(), cases.len() + 1);
    for line in &log {
        assert_eq!(line["client_ip"], "127.0.0.1", "{line}");
    }
    let refused = |reason| format!("pointsman_refused_requests_total{{listener=\"plain\",reason=\"{reason}\"}}");
    assert_eq!(proxy.metric(&refused("host")).await, 3.0);
    assert_eq!(proxy.metric(&refused("chunk")).await, 2.0);
}

#[tokio::test]
async fn answer_to_a_refused_head_request_has_no_body() {
    let live = Upstream::answering("live").start().await;
    let reply = exchange(&proxy(&live).await, b"HEAD / HTTP/1.1\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.ends_with("\r\n\r\n"), "{reply}");
}

#[tokio::test]
async fn absolute_target_reaches_the_upstream_in_origin_form() {
    let live = Upstream::answering("live").start().await;
    let proxy = proxy(&live).await;
    let reply =
        exchange(&proxy, b"\r\nGET http://Shop.test:81/a?b HTTP/1.1\r\nHost: other.test\r\nconnection: close\r\n\r\n")
            .await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    let received = live.only_request();
    assert_eq!((received.uri.to_string().as_str(), received.header("host")), ("/a?b", Some("Shop.test:81")));
    assert_eq!(received.header("x-forwarded-host"), Some("shop.test:81"));
    assert_eq!(received.header("via"), Some("1.1 pointsman"));
}

#[tokio::test]
async fn later_minor_version_is_answered_as_http11() {
    let live = Upstream::answering("live").start().await;
    let reply = exchange(&proxy(&live).await, b"GET / HTTP/1.2\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let echo = Upstream::with(|received| {
        let body = format!("{} {};", received.uri, String::from_utf8_lossy(&received.body));
        pointsman_tests::Answer::ok(body)
    });
    let echo = echo.start().await;
    let proxy = proxy(&echo).await;
    let post = "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\ntwo";
    let chunked =
        "POST /3 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nthree\r\n0\r\nt: u\r\n\r\n";
    let all = format!(
        "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n{post}{chunked}GET /4 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    );
    // In one piece, byte by byte, and with each request sent while the one before is answered.
    for pieces in [vec![all.as_bytes()], all.as_bytes().chunks(1).collect(), all.as_bytes().chunks(70).collect()] {
        let mut client = proxy.raw().await;
        client.set_nodelay(true).expect("an option");
        for piece in pieces {
            client.write_all(piece).await.expect("sent");
        }
        let reply = read_all(&mut client).await;
        let bodies: Vec<&str> = reply.split("\r\n\r\n").filter_map(|part| Some(part.split_once(';')?.0)).collect();
        assert_eq!(bodies, ["/1 ", "/2 two", "/3 three", "/4 "], "{reply}");
    }
    assert_eq!(echo.requests().len(), 12);
}

#[tokio::test]
async fn client_that_half_closes_gets_its_response() {
    let echo = Upstream::with(|request| pointsman_tests::Answer::ok(request.body.clone())).start().await;
    let proxy = proxy(&echo).await;
    for request in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = proxy.raw().await;
        client.write_all(request.as_bytes()).await.expect("sent");
        client.shutdown().await.expect("half closed");
        let reply = read_all(&mut client).await;
        assert_eq!(reply.matches("HTTP/1.1 200 ").count(), request.matches("HTTP/1.1\r\n").count(), "{reply}");
    }
}

#[tokio::test]
async fn empty_line_between_requests_is_ignored() {
    let live = Upstream::answering("live").start().await;
    let proxy = proxy(&live).await;
    let mut client = proxy.raw().await;
    for _ in 0..3 {
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi\r\n").await.expect("sent");
        let (head, body) = read_reply(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && body == "live", "{head}{body}");
    }
}

#[tokio::test]
async fn http10_client_gets_an_http10_response() {
    let chunked = Upstream::raw(|mut stream: TcpStream, _| async move {
        let _ = pointsman_tests::raw::read_head(&mut stream).await;
        let reply =
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = stream.write_all(format!("{reply}5\r\nhello\r\n0\r\n\r\n").as_bytes()).await;
    })
    .await;
    let proxy = proxy(&chunked).await;
    let reply = exchange(&proxy, b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n").await;
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && head.contains("connection: close"), "{reply}");
    assert!(!head.contains("chunked") && body == "hello", "{reply}");
}

#[tokio::test]
async fn status_line_has_the_proxys_own_version() {
    let old = Upstream::raw(|mut stream: TcpStream, _| async move {
        let _ = pointsman_tests::raw::read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.0 200 OK\r\ncontent-length: 3, 3\r\nconnection: x-own\r\nx-own: 1\r\n\r\nold")
            .await;
    })
    .await;
    let proxy = proxy(&old).await;
    let mut client = proxy.raw().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    let (head, body) = read_reply(&mut client).await;
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-length: 3\r\n") && body == "old", "{head}");
    assert!(!head.contains("x-own"), "{head}");
}
