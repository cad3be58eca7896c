//! Who may use the admin API over TCP, and the responses to everybody else.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use pointsman_tests::{Live, Proxy, Tenant, Wat};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A proxy with its API on a socket and on an address.
struct Api {
    proxy: Proxy,
    folder: TempDir,
    _live: Live,
}

/// A received response.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn error(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).expect("JSON")["error"].clone()
    }

    fn code(&self) -> String {
        self.error()["code"].as_str().expect("a code").to_owned()
    }
}

impl Api {
    async fn new(keys: &str) -> Api {
        let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).expect("a token");
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        let admin = format!("token_file = {token:?}\nsocket = {:?}\n{keys}", folder.path().join("admin.sock"));
        let proxy = Proxy::with(Tenant::new("shop").module(live.path(), "")).admin(&admin).start().await;
        Api { proxy, folder, _live: live }
    }

    /// Sends this to the address, from this one, and reads everything until the connection closes.
    async fn send_from(&self, from: &str, head: &str) -> Answer {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from.parse().expect("an address"), 0)).expect("a local address");
        exchange(socket.connect(self.proxy.admin_address()).await.expect("a connection"), head).await
    }

    /// A GET request with the token and these further head lines.
    async fn get(&self, path: &str, more: &str) -> Answer {
        self.send_from("127.0.0.1", &head("GET", path, &format!("host: localhost\r\n{}{more}", token(TOKEN)))).await
    }

    async fn with_token(&self, from: &str, token: &str) -> Answer {
        let more = format!("host: localhost\r\n{}", self::token(token));
        self.send_from(from, &head("GET", "/v1/tenants", &more)).await
    }

    /// Every HTTP/1.1 request has a host, even where its value does not matter.
    async fn on_socket(&self, method: &str, path: &str, more: &str) -> Answer {
        let stream = UnixStream::connect(self.folder.path().join("admin.sock")).await.expect("the socket");
        let host = if more.contains("host: ") { "" } else { "host: any.test\r\n" };
        exchange(stream, &head(method, path, &format!("{host}{more}"))).await
    }

    async fn refused(&self, code: &str) -> f64 {
        self.proxy.metric(&format!("pointsman_admin_refused_total{{code=\"{code}\"}}")).await
    }
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{more}\r\n")
}

fn token(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.expect("an answer");
    let text = String::from_utf8(text).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response to {request}: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn responses_have_the_headers_that_http_requires() {
    let api = Api::new("").await;
    let host = "host: 127.0.0.1\r\n";
    let with_token = format!("{host}{}", token(TOKEN));
    let cases = [
        ("GET", "/metrics", host, 200),
        ("GET", "/v1/tenants", with_token.as_str(), 200),
        ("GET", "/v1/openapi.json", &with_token, 200),
        ("GET", "/v1/tenants", host, 401),
        ("GET", "/v1/nothing", host, 404),
        ("POST", "/v1/tenants", host, 405),
        ("DELETE", "/v1/reload", host, 405),
        ("GET", "/v1/tenants?x=1", host, 400),
        ("GET", "/metrics", "", 400),
        ("GET", "/metrics", "host: evil.test\r\n", 421),
    ];
    for (method, path, more, status) in cases {
        let answer = api.send_from("127.0.0.1", &head(method, path, more)).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{method} {path}");
        let is_text = answer.header("content-type").is_some_and(|of| of.starts_with("text/plain; version=0.0.4"));
        assert!(is_text == (path == "/metrics" && status == 200), "{method} {path}: {}", answer.head);
        if status != 200 {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{method} {path}");
            assert!(answer.error()["message"].is_string(), "{method} {path}: {}", answer.body);
        }
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{method} {path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
        if method == "GET" {
            let same = api.send_from("127.0.0.1", &head("HEAD", path, more)).await;
            assert_eq!((same.status, same.body.as_str()), (status, ""), "HEAD {path}");
            for name in ["content-type", "cache-control", "x-content-type-options", "www-authenticate"] {
                assert_eq!(same.header(name), answer.header(name), "HEAD {path}");
            }
            // Metrics differ each time.
            let length = same.header("content-length");
            assert!(length.is_some_and(|length| path == "/metrics" || answer.header("content-length") == Some(length)));
        }
    }
    let answer = api.send_from("127.0.0.1", &head("GET", "/v1/tenants", host)).await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"pointsman\""));
    let answer = api.on_socket("POST", "/v1/tenants/shop", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    let answer = api.on_socket("GET", "/v1/tenants/shop/drain", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

/// A connection stays usable after a response without a body.
#[tokio::test]
async fn connection_stays_usable_after_a_head_request() {
    let api = Api::new("").await;
    let request = "HEAD /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = TcpStream::connect(api.proxy.admin_address()).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut read).await.expect("an answer") > 0, "it is still open");
    }
    let answer = exchange(stream, &head("GET", "/metrics", "host: localhost\r\n")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
}

#[tokio::test]
async fn scheme_of_the_token_may_have_any_case() {
    let api = Api::new("").await;
    for scheme in ["bearer", "BEARER", "Bearer"] {
        let more = format!("host: localhost\r\nauthorization: {scheme} {TOKEN}\r\n");
        assert_eq!(api.send_from("127.0.0.1", &head("GET", "/v1/tenants", &more)).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn listener_answers_for_its_own_names_only() {
    let api = Api::new("hosts = [\"Metrics.example\"]").await;
    let send = async |path: &str, host: &str| {
        let more = format!("{host}{}", token(TOKEN));
        api.send_from("127.0.0.1", &head("GET", path, &more)).await
    };
    for own in ["127.0.0.1:9180", "[::1]", "localhost", "metrics.example:9180", "203.0.113.7"] {
        for path in ["/metrics", "/v1/tenants"] {
            assert_eq!(send(path, &format!("host: {own}\r\n")).await.status, 200, "{own}");
        }
    }
    for other in ["evil.test", "localhost.evil.test", "metrics.example.evil.test"] {
        for path in ["/metrics", "/v1/tenants"] {
            let answer = send(path, &format!("host: {other}\r\n")).await;
            assert_eq!((answer.status, answer.code().as_str()), (421, "host-not-allowed"), "{other}");
        }
    }
    let answer = send("/metrics", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"));
    assert_eq!(send("http://localhost/metrics", "host: localhost\r\n").await.status, 200);
    let answer = send("http://evil.test/metrics", "host: evil.test\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (421, "host-not-allowed"));
    assert_eq!(api.refused("host-not-allowed").await, 7.0);
    // Clients of the socket do not use a host name.
    assert_eq!(api.on_socket("GET", "/v1/tenants", "host: evil.test\r\n").await.status, 200);
    assert_eq!(api.on_socket("GET", "/v1/tenants", "").await.status, 200);
}

#[tokio::test]
async fn requests_from_pages_of_other_sites_have_no_effect() {
    let api = Api::new("").await;
    let origin = |origin: &str| format!("origin: {origin}\r\n");
    for path in ["/metrics", "/v1/tenants"] {
        for other in ["http://evil.test", "null", "http://localhost:8080"] {
            let answer = api.get(path, &origin(other)).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "cross-site"), "{other}");
        }
        assert_eq!(api.get(path, &origin("http://localhost")).await.status, 200);
    }
    assert_eq!(api.refused("cross-site").await, 6.0);
}

#[tokio::test]
async fn only_a_client_that_guesses_tokens_is_delayed() {
    let api = Api::new("").await;
    let wrong = TOKEN.replace('f', "e");
    for _ in 0..5 {
        let answer = api.with_token("127.0.0.1", &wrong).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    }
    // The delay grows with each guess that is checked, so it is measurable at some point, however slow the test is.
    let waiting = pointsman_tests::eventually_async("a wait", async || {
        let answer = api.with_token("127.0.0.1", &wrong).await;
        (answer.status == 429).then_some(answer)
    });
    let answer = waiting.await;
    assert_eq!(answer.code(), "too-many-wrong-tokens");
    let seconds: u64 = answer.header("retry-after").and_then(|after| after.parse().ok()).expect("seconds");
    assert!((1..=32).contains(&seconds), "{seconds}");
    assert_eq!(api.with_token("127.0.0.2", TOKEN).await.status, 200);
    assert_eq!(api.on_socket("GET", "/v1/tenants", "").await.status, 200);
    let metrics = api.send_from("127.0.0.1", &head("GET", "/metrics", "host: localhost\r\n")).await;
    assert_eq!(metrics.status, 200, "metrics need no token");
    assert!(api.refused("too-many-wrong-tokens").await >= 1.0);
    assert!(api.refused("unauthorized").await >= 5.0);
    // The delay ends.
    let ended = pointsman_tests::eventually_async("the end of the wait", async || {
        (api.with_token("127.0.0.1", TOKEN).await.status == 200).then_some(())
    });
    ended.await;
    assert_eq!(api.with_token("127.0.0.1", &wrong).await.status, 401);
}

#[tokio::test]
async fn parameter_that_is_refused_is_named() {
    let api = Api::new("").await;
    for (path, parameter) in [
        ("/v1/tenants/shop/modules?stage=shadow&stage=live", "stage"),
        ("/v1/tenants/shop/modules?stage=all", "stage"),
        ("/v1/tenants/shop/modules?stage=", "stage"),
        ("/v1/tenants/shop/modules?stage=%zz", "stage"),
        ("/v1/tenants/shop/modules?stage=%ff", "stage"),
        ("/v1/tenants/shop/modules?percent=0", "percent"),
        ("/v1/tenants/shop/modules?percent=-1", "percent"),
        ("/v1/tenants/shop/modules?percent=+1", "percent"),
        ("/v1/tenants/shop/modules?position=99999999999999999999999", "position"),
        ("/v1/tenants/shop/modules?Stage=live", "Stage"),
        ("/v1/tenants/shop/promote?to=x", "to"),
        ("/v1/tenants/shop/drain?force", "force"),
        ("/v1/reload?x=1", "x"),
    ] {
        let answer = api.on_socket("POST", path, "content-length: 0\r\n").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"), "{path}");
        let error = answer.error();
        assert_eq!(error["parameter"], parameter, "{path}");
        assert!(
            error["message"].as_str().is_some_and(|message| message.contains(&format!("`{parameter}`"))),
            "{error}"
        );
    }
    assert_eq!(api.on_socket("GET", "/v1/tenants/%zz", "").await.status, 400);
    assert_eq!(api.on_socket("GET", "/v1/tenants/sh%6Fp", "").await.status, 200);
    assert_eq!(api.on_socket("GET", "/v1/tenants/..%2fshop", "").await.status, 404);
}

/// The response is sent although the body never arrives.
#[tokio::test]
async fn refusal_does_not_wait_for_an_unneeded_body() {
    let api = Api::new("").await;
    let send = async |head: &str| {
        let mut stream = TcpStream::connect(api.proxy.admin_address()).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        text
    };
    let post =
        |what: &str| format!("POST /v1/tenants/shop/{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let upload = |more: &str| format!("{}{more}\r\n", post("validate"));
    let long = "content-length: 67108865\r\n";
    assert!(send(&upload(long)).await.starts_with("HTTP/1.1 401 "));
    let answer = send(&upload(&format!("{long}{}", token(TOKEN)))).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"too-large\""), "{answer}");
    let drain = format!("{}{}", post("drain"), token(TOKEN));
    for body in ["content-length: 3\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"] {
        let answer = send(&format!("{drain}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("a body is not wanted here"), "{answer}");
    }
    for none in ["content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n", "\r\n"] {
        let answer = send(&format!("{drain}{none}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// A client that waits for 100 before it sends its module sends nothing in vain.
#[tokio::test]
async fn upload_gets_100_continue_after_it_was_authorized() {
    let api = Api::new("").await;
    let upload = |more: &str| {
        let expects = "expect: 100-continue\r\nconnection: close\r\n";
        format!("POST /v1/tenants/shop/validate HTTP/1.1\r\nhost: localhost\r\n{expects}{more}\r\n")
    };
    let mut stream = TcpStream::connect(api.proxy.admin_address()).await.expect("a connection");
    stream.write_all(upload("content-length: 9\r\n").as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    assert!(text.starts_with("HTTP/1.1 401 "), "{text}");

    let mut stream = TcpStream::connect(api.proxy.admin_address()).await.expect("a connection");
    stream.write_all(upload(&format!("content-length: 9\r\n{}", token(TOKEN))).as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut read).await.expect("an answer") > 0, "it is still open");
    }
    assert!(read.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&read));
    let answer = exchange(stream, "no module").await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "refused"));
}
