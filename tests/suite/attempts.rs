//! The data about failed attempts that a module receives.

use http::Request;
use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::connect_proxy::Behaviour;
use pointsman_tests::{Answer, Authority, Client, ConnectProxy, Proxy, Tenant, Upstream, example};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The failed attempt, as the module sees it, after a request to this peer or route.
async fn failed(client: &mut Client, request: http::request::Builder, order: Value) -> Value {
    let order = json!([order, "attempts"]).to_string();
    let request = request.header("pointsman-lab", order).body(Full::from("body")).expect("a request");
    let reply = client.send(request).await.expect("a response");
    let attempts: Vec<Value> = serde_json::from_str(&reply.body)
        .unwrap_or_else(|error| panic!("{error}: {} {:?} {}", reply.status, reply.code(), reply.body));
    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    attempt.clone()
}

async fn proxy() -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await
}

/// Everything except the time and the text, which differ from run to run.
#[track_caller]
fn check(mut attempt: Value, address: &str, stage: &str, failure: &str, more: (Option<u16>, bool, bool)) {
    let (status, reused, sent) = more;
    let fields = attempt.as_object_mut().expect("an object");
    assert!(fields.remove("detail").is_some_and(|detail| detail.as_str().is_some_and(|text| !text.is_empty())));
    assert!(fields.remove("elapsed-ms").is_some_and(|elapsed| elapsed.is_u64()));
    let expected = json!({
        "number": 1, "address": address, "stage": stage, "failure": failure,
        "status": status, "reused-connection": reused, "request-sent": sent,
    });
    assert_eq!(attempt, expected);
}

#[tokio::test]
async fn stage_and_failure_report_how_far_the_attempt_got() {
    let proxy = proxy().await;
    let attempt = async |peer: Value| failed(&mut proxy.client().await, get("http://lab.test/"), peer).await;
    let unsent = (None, false, false);

    let closed = Upstream::closed_port().to_string();
    check(attempt(json!({"address": closed})).await, &closed, "connect", "refused", unsent);

    let authority = Authority::new("unknown");
    let tls = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &[]).start().await;
    let address = tls.address().to_string();
    let peer = json!({"address": address, "tls": {"sni": "api.test"}});
    let refused = attempt(peer).await;
    assert_eq!(refused["detail"], "the certificate did not pass: unable to get local issuer certificate");
    check(refused, &address, "tls", "certificate", unsent);

    let plain = Upstream::raw(|mut stream, _| async move {
        let _ = stream.write_all(b"this is not TLS, and never was").await;
    })
    .await;
    let address = plain.address().to_string();
    let peer = json!({"address": address, "tls": {"sni": "api.test"}});
    check(attempt(peer).await, &address, "tls", "protocol", unsent);

    let tunnel = ConnectProxy::tcp(Behaviour::Respond("HTTP/1.1 407 Who are you\r\n\r\n")).await;
    let peer = json!({"address": "1.1.1.1:80", "connect-proxy": {"address": tunnel.address()}});
    check(attempt(peer).await, "1.1.1.1:80", "connect-proxy", "proxy-refused", (Some(407), false, false));
}

#[tokio::test]
async fn status_that_failed_the_attempt_is_reported() {
    let ill = Upstream::with(|_| Answer::status(503)).start().await;
    let address = ill.address().to_string();
    let route = json!({"route": {"peer": {"address": address}, "retry": {"on-status": [503]}}});
    let attempt = failed(&mut proxy().await.client().await, get("http://lab.test/"), route).await;
    check(attempt, &address, "receive", "status", (Some(503), false, true));
}

/// It answers one request on its first connection, and closes the connection at the next.
#[tokio::test]
async fn reused_connection_is_reported_as_reused() {
    let fickle = Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let _ = stream.read(&mut buffer).await;
    })
    .await;
    let address = fickle.address().to_string();
    let proxy = proxy().await;
    let mut client = proxy.client().await;
    assert_eq!(client.order(json!({"address": address})).await.body, "ok");
    let attempt = failed(&mut client, get("http://lab.test/"), json!({"address": address})).await;
    check(attempt, &address, "receive", "closed", (None, true, true));
}

#[tokio::test]
async fn unsent_request_is_retried_whatever_its_method() {
    let closed = Upstream::closed_port().to_string();
    let attempt =
        failed(&mut proxy().await.client().await, Request::post("http://lab.test/"), json!({"address": closed})).await;
    check(attempt, &closed, "connect", "refused", (None, false, false));
}
