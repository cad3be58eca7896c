//! The facts about a client that upstreams receive, from the proxy and not from the client.

use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::{Authority, Client, Proxy, ReceivedRequest, Tenant, Upstream, example};

const SPOOFED: [(&str, &str); 4] = [
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-proto", "gopher"),
    ("forwarded", "for=10.0.0.1"),
    ("x-real-ip", "10.0.0.1"),
];

async fn proxy(listener: &str) -> Proxy {
    let leaf = Authority::new("proxy").leaf(&["lab.test"]);
    Proxy::with(Tenant::new("lab").module(example("lab"), "")).tls(&leaf).listener(listener).start().await
}

/// A request with these headers, as the upstream received it.
async fn received(client: &mut Client, scheme: &str, order: &str, headers: &[(&str, &str)]) -> ReceivedRequest {
    let upstream = Upstream::answering("live").start().await;
    let mut request = get(&format!("{scheme}://lab.test/"))
        .header("pointsman-lab", order.replace("UPSTREAM", &upstream.address().to_string()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = client.send(request.body(Full::default()).expect("a request")).await.expect("a response");
    assert_eq!((reply.status, reply.body.as_str()), (200, "live"));
    upstream.only_request()
}

const PLAIN: &str = r#"{"address": "UPSTREAM"}"#;

fn forwarding(received: &ReceivedRequest) -> [Option<&str>; 5] {
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip"]
        .map(|name| received.header(name))
}

#[tokio::test]
async fn forwarding_headers_of_clients_are_not_forwarded() {
    let proxy = proxy("").await;
    let expected = |scheme| [Some("127.0.0.1"), Some("lab.test"), Some(scheme), None, None];
    for mut client in [Client::http1(proxy.address()).await, Client::http2(proxy.address()).await] {
        let received = received(&mut client, "http", PLAIN, &SPOOFED).await;
        assert_eq!(forwarding(&received), expected("http"));
        assert_eq!(received.headers.get_all("x-forwarded-for").iter().count(), 1);
    }
    for alpn in ["http/1.1", "h2"] {
        let mut client = Client::tls(proxy.address_of("tls"), "lab.test", &[alpn]).await;
        assert_eq!(forwarding(&received(&mut client, "https", PLAIN, &SPOOFED).await), expected("https"), "{alpn}");
    }
}

#[tokio::test]
async fn forwarding_headers_of_trusted_proxies_are_kept() {
    let proxy = proxy("forwarded = { trusted = [\"127.0.0.0/8\"], headers = [\"x-forwarded\", \"forwarded\"] }").await;
    let received = received(&mut proxy.client().await, "http", PLAIN, &SPOOFED).await;
    let forwarded = "for=10.0.0.1, for=127.0.0.1;host=lab.test;proto=http";
    let expected = [Some("10.0.0.1, 127.0.0.1"), Some("lab.test"), Some("gopher"), Some(forwarded), Some("10.0.0.1")];
    assert_eq!(forwarding(&received), expected);
}

#[tokio::test]
async fn no_forwarding_headers_are_sent_where_none_are_configured() {
    let proxy = proxy("forwarded = { headers = [] }").await;
    assert_eq!(forwarding(&received(&mut proxy.client().await, "http", PLAIN, &SPOOFED).await), [None; 5]);
}

#[tokio::test]
async fn rewrite_of_the_module_overrides_forwarding_headers() {
    let proxy = proxy("").await;
    let order = r#"{"route": {"peer": {"address": "UPSTREAM"}, "rewrite": {
        "remove-headers": ["x-forwarded-host"],
        "set-headers": [{"name": "x-forwarded-for", "value": "unknown"}]}}}"#;
    let received = received(&mut proxy.client().await, "http", &order.replace('\n', " "), &SPOOFED).await;
    assert_eq!(forwarding(&received), [Some("unknown"), None, Some("http"), None, None]);
}
