//! Every client gets its response, and only its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use pointsman_tests::client::{get, http2_with_body};
use pointsman_tests::raw::{read_all, read_head, read_reply};
use pointsman_tests::{Answer, Client, Proxy, Tenant, Upstream, eventually, example};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn fixed(upstream: &Upstream) -> Tenant {
    let module = format!("upstreams = [\"{}\"]", upstream.address());
    Tenant::new("shop").hostnames(&["*"]).module(example("failover"), &module)
}

async fn lab() -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await
}

/// An upstream that sends this for each request on each connection.
async fn saying(reply: &'static str) -> Upstream {
    Upstream::raw(move |mut stream: TcpStream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// cloudflare/pingora#935: an upload of unknown length that ends with an empty DATA frame.
#[tokio::test]
async fn http2_upload_of_unknown_length_has_one_last_chunk() {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let received = bytes.clone();
    let strict = Upstream::raw(move |mut stream: TcpStream, _| {
        let received = received.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                let mut body = Vec::new();
                while head.contains("chunked") && !body.ends_with(b"0\r\n\r\n") {
                    body.push(stream.read_u8().await.expect("the body"));
                }
                received.lock().expect("notes").push((head, String::from_utf8(body).expect("text")));
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("sent");
            }
        }
    })
    .await;
    let proxy = Proxy::with(fixed(&strict)).start().await;
    let (uploader, _connection) = http2_with_body(proxy.address()).await;
    for number in 0..10 {
        let (body, reply) = uploader.post("http://shop.test/").await;
        body.send("hello").await;
        drop(body);
        assert_eq!(reply.await.expect("a task").expect("a response").body, "ok");
        // POST and GET come on different connections of clients, so only the log orders them: Pingora pools the
        // upstream's connection after the client has its response, and before the line is written.
        proxy.log(2 * number + 1).await;
        assert_eq!(proxy.get("http://shop.test/").await.body, "ok");
        proxy.log(2 * number + 2).await;
    }
    let received = bytes.lock().expect("notes");
    assert_eq!(received.len(), 20, "one for each request sent");
    for (head, body) in received.iter() {
        assert!(head.starts_with("GET / HTTP/1.1\r\n") || head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
        assert!(body.is_empty() || body == "5\r\nhello\r\n0\r\n\r\n", "{body:?}");
    }
    assert_eq!(strict.connections(), 1, "the connection stayed clean");
}

#[tokio::test]
async fn failure_without_a_body_has_its_status_in_every_protocol() {
    let dead = Upstream::closed_port();
    for (keys, method) in [("", "HEAD"), ("error_header = false", "GET"), ("error_header = false", "POST")] {
        let module = format!("address = \"{dead}\"");
        let tenant = Tenant::new("shop").hostnames(&["*"]).module(example("fixed"), &module);
        let proxy = Proxy::with(tenant).proxy(keys).start().await;
        for mut client in [Client::http1(proxy.address()).await, Client::http2(proxy.address()).await] {
            let request = Request::builder().method(method).uri("http://shop.test/").body(Full::default());
            let reply = client.send(request.expect("a request")).await.expect("a response");
            assert_eq!((reply.status, reply.body.as_str()), (502, ""), "{method} {keys} {:?}", reply.version);
        }
    }
}

#[tokio::test]
async fn interim_response_is_not_final() {
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    // It fails afterwards: the client gets a final response, after the usual number of attempts.
    let failing = Upstream::raw(|mut stream: TcpStream, _| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(HINTS.as_bytes()).await;
    })
    .await;
    let proxy = lab().await;
    let order = json!({"address": failing.address().to_string()}).to_string();
    let mut client = proxy.raw().await;
    let request = format!("GET / HTTP/1.1\r\nhost: lab.test\r\npointsman-lab: {order}\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("sent");
    let reply = read_all(&mut client).await;
    assert!(reply.contains("HTTP/1.1 502 ") && reply.contains("pointsman-error: upstream-closed"), "{reply}");
    assert!(failing.connections() > 1, "it was retried");
    let log = proxy.log(1).await;
    assert_eq!((&log[0]["status"], &log[0]["error"]["code"]), (&json!(502), &json!("upstream-closed")));
}

#[tokio::test]
async fn headers_about_the_upstreams_connection_are_not_forwarded() {
    let reply = "HTTP/1.1 200 OK\r\nconnection: x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\n\
                 proxy-authenticate: Basic\r\nte: trailers\r\nupgrade: h2c\r\npointsman-error: no-tenant\r\n\
                 content-length: 2\r\n\r\nok";
    let upstream = saying(reply).await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    for mut client in [Client::http1(proxy.address()).await, Client::http2(proxy.address()).await] {
        let reply = client.get("http://shop.test/").await;
        assert_eq!(reply.body, "ok");
        for name in ["x-secret", "keep-alive", "proxy-authenticate", "te", "upgrade", "pointsman-error"] {
            assert_eq!(reply.header(name), None, "{name} {:?}", reply.version);
        }
    }
}

/// A client that sends its whole body before it reads anything.
#[tokio::test]
async fn refusal_reaches_a_client_that_continues_to_send() {
    let echo = Upstream::answering("live").start().await;
    let tenant = fixed(&echo).hostnames(&["shop.test"]);
    let proxy = Proxy::with(tenant).start().await;
    let mut client = proxy.raw().await;
    let head = "POST / HTTP/1.1\r\nhost: other.test\r\ncontent-length: 20000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("sent");
    client.write_all(&vec![b'x'; 20_000_000]).await.expect("the peer reads");
    let reply = read_all(&mut client).await;
    assert!(reply.starts_with("HTTP/1.1 404 ") && reply.contains("Connection: close"), "{reply}");
}

#[tokio::test]
async fn cancelled_stream_is_attributed_to_the_client() {
    let slow = Upstream::answering("late").start().await;
    slow.hold(2);
    let proxy = Proxy::with(fixed(&slow)).start().await;
    let Client::Http2(mut client) = Client::http2(proxy.address()).await else { panic!("HTTP/2") };
    let request = get("http://shop.test/").body(Full::default()).expect("a request");
    let response = tokio::spawn(client.send_request(request));
    eventually("the request at the upstream", || (slow.requests().len() == 1).then_some(())).await;
    response.abort();
    let log = proxy.log(1).await;
    assert_eq!(log[0]["error"]["code"], "client-closed", "{log:?}");
}

#[tokio::test]
async fn split_cookies_are_one_line_upstream_and_in_the_module() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let mut client = Client::http2(proxy.address()).await;
    let request = get("http://shop.test/").header("cookie", "a=1").header("cookie", "b=2").body(Full::default());
    assert_eq!(client.send(request.expect("a request")).await.expect("a response").status, 200);
    let cookies: Vec<_> = upstream.only_request().headers.get_all("cookie").iter().cloned().collect();
    assert_eq!(cookies, ["a=1; b=2"]);
}

/// The proxy cannot send 100 over HTTP/2: a client that waits for it gets 417, one that does not wait is served.
#[tokio::test]
async fn http2_client_that_waits_for_100_is_refused_with_417() {
    let upstream = Upstream::with(|request| Answer::ok(request.body.clone())).start().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let mut client = Client::http2(proxy.address()).await;
    let request = Request::post("http://shop.test/").header("expect", "100-continue").body(Full::from("body"));
    let reply = client.send(request.expect("a request")).await.expect("a response");
    assert_eq!((reply.status, reply.body.as_str()), (200, "body"));
    assert_eq!(upstream.only_request().header("expect"), None);
    let (uploader, _connection) = http2_with_body(proxy.address()).await;
    let (_waiting, reply) = uploader.post_expecting("http://shop.test/").await;
    let reply = reply.await.expect("a task").expect("a response");
    assert_eq!((reply.status, reply.code()), (417, Some("expectation")));
}

/// curl waits one second for 100 and then sends its body anyway.
#[tokio::test]
async fn http2_client_that_expects_100_has_time_to_send_its_body() {
    const PATIENCE: Duration = Duration::from_millis(1_200);
    let upstream = Upstream::with(|request| Answer::ok(request.body.clone())).start().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let (uploader, _connection) = http2_with_body(proxy.address()).await;
    let (body, reply) = uploader.post_expecting("http://shop.test/").await;
    tokio::time::sleep(PATIENCE).await;
    body.send("body").await;
    drop(body);
    let reply = reply.await.expect("a task").expect("a response");
    assert_eq!((reply.status, reply.body.as_str()), (200, "body"));
}

#[tokio::test]
async fn malformed_http2_request_is_refused() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let mut client = Client::http2(proxy.address()).await;
    for headers in [[("host", "a/b"), ("x", "1")], [("content-length", "4"), ("content-length", "4")]] {
        let mut request = Request::post("http://shop.test/");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = client.send(request.body(Full::from("body")).expect("a request")).await;
        assert!(!reply.is_ok_and(|reply| reply.status == 200));
    }
    assert_eq!(client.get("http://shop.test/").await.status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn max_forwards_of_zero_is_answered_by_the_proxy() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(fixed(&upstream)).start().await;
    let mut client = proxy.raw().await;
    client.write_all(b"OPTIONS / HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n").await.expect("sent");
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 204 "));
    client.write_all(b"OPTIONS / HTTP/1.1\r\nhost: a\r\nmax-forwards: 7\r\n\r\n").await.expect("sent");
    assert!(read_reply(&mut client).await.0.starts_with("HTTP/1.1 200 "));
    assert_eq!(upstream.only_request().header("max-forwards"), Some("6"));
}

#[tokio::test]
async fn total_time_bounds_all_attempts_of_a_request() {
    let silent = Upstream::raw(|mut stream: TcpStream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let tenant = Tenant::new("lab").module(example("lab"), "").table("[tenant.upstream]\noverall_timeout_ms = 300");
    let proxy = Proxy::with(tenant).start().await;
    let order = json!({"address": silent.address().to_string()});
    let reply = tokio::time::timeout(Duration::from_secs(20), proxy.order(order)).await.expect("it ends");
    assert_eq!((reply.status, reply.code()), (504, Some("upstream-read-timeout")));
    assert_eq!(silent.connections(), 1, "no retry");
}

/// A client that reads nothing ties up only a few responses.
#[tokio::test]
async fn http2_client_that_reads_nothing_ties_up_few_responses() {
    let large = Upstream::with(|_| Answer::ok(vec![b'x'; 2_000_000])).start().await;
    let proxy = Proxy::with(fixed(&large)).listener("send_timeout_ms = 1500").start().await;
    let stream = TcpStream::connect(proxy.address()).await.expect("a connection");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (client, connection) = builder.handshake::<_, bytes::Bytes>(stream).await.expect("HTTP/2");
    tokio::spawn(async move { drop(connection.await) });
    let mut responses = Vec::new();
    for _ in 0..40 {
        let mut client = client.clone().ready().await.expect("an open connection");
        let request = Request::get("http://shop.test/").body(()).expect("a request");
        responses.push(client.send_request(request, true).expect("sent").0);
    }
    let log = proxy.log(40).await;
    let overloaded = log.iter().filter(|line| line["error"]["code"] == "overloaded").count();
    assert!(overloaded >= 24, "{overloaded} of 40 were kept waiting");
    assert!(large.requests().len() <= 16, "{} reached the upstream", large.requests().len());
}
