//! What happens after an attempt failed.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http_body_util::Full;
use pointsman_tests::{Answer, Proxy, Reply, Tenant, Upstream, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A proxy whose module tries these addresses in order.
async fn failover(addresses: &[std::net::SocketAddr], more: &str) -> Proxy {
    let list: Vec<String> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    let config = format!("upstreams = [{}]", list.join(", "));
    Proxy::with(Tenant::new("shop").module(example("failover"), &config).table(more)).start().await
}

async fn post(proxy: &Proxy, body: &'static str) -> Reply {
    let request = Request::post("http://shop.test/").body(Full::from(body)).expect("a request");
    proxy.client().await.send(request).await.expect("a response")
}

#[tokio::test]
async fn second_peer_is_tried_when_the_first_refuses() {
    let live = Upstream::answering("live").start().await;
    let proxy = failover(&[Upstream::closed_port(), live.address()], "").await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "live"));

    let line = &proxy.log(1).await[0];
    assert_eq!(line["attempts"], 2);
    assert_eq!(line["failed_attempts"][0]["failure"], "connect-refused");
}

#[tokio::test]
async fn unsent_post_is_retried() {
    let live = Upstream::with(|request| Answer::ok(request.body.clone())).start().await;
    let proxy = failover(&[Upstream::closed_port(), live.address()], "").await;
    let reply = post(&proxy, "once").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "once"));
}

/// An upstream that reads a request and closes the connection.
async fn hanging_up() -> Upstream {
    Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
    })
    .await
}

#[tokio::test]
async fn sent_post_is_never_replayed() {
    let live = Upstream::answering("live").start().await;
    let dying = hanging_up().await;
    let proxy = failover(&[dying.address(), live.address()], "").await;
    let reply = post(&proxy, "once").await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-closed")));
    assert_eq!((dying.connections(), live.connections()), (1, 0));
}

#[tokio::test]
async fn sent_get_is_retried_with_another_peer() {
    let live = Upstream::answering("live").start().await;
    let dying = hanging_up().await;
    let proxy = failover(&[dying.address(), live.address()], "").await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "live");
    assert_eq!((dying.connections(), live.connections()), (1, 1));
}

#[tokio::test]
async fn attempts_end_at_the_tenants_limit() {
    let mut addresses = Vec::new();
    for _ in 0..5 {
        addresses.push(Upstream::closed_port());
    }
    let proxy = failover(&addresses, "[tenant.limits]\nattempts = 2").await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-refused")));
    assert_eq!(proxy.log(1).await[0]["attempts"], 2);
}

#[tokio::test]
async fn module_answers_when_every_peer_failed() {
    let proxy = failover(&[Upstream::closed_port()], "").await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code()), (503, None));
    assert!(!reply.body.is_empty());
}

#[tokio::test]
async fn status_is_retried_where_the_route_lists_it() {
    let ill = Upstream::with(|_| Answer::status(503)).start().await;
    let live = Upstream::answering("live").start().await;
    let proxy = failover(&[ill.address(), live.address()], "").await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "live");
    let line = &proxy.log(1).await[0];
    assert_eq!(line["failed_attempts"][0]["failure"], "status-503");
}

#[tokio::test]
async fn status_is_forwarded_where_a_retry_is_unsafe() {
    let ill = Upstream::with(|_| Answer::status(503)).start().await;
    let live = Upstream::answering("live").start().await;
    let proxy = failover(&[ill.address(), live.address()], "").await;
    let reply = post(&proxy, "once").await;
    assert_eq!((reply.status, reply.code()), (503, None));
    assert_eq!(live.connections(), 0);
}

/// A pooled connection that the upstream closed meanwhile.
#[tokio::test]
async fn stale_connection_is_retried() {
    let requests = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let upstream = Upstream::raw(move |mut stream, _| {
        let requests = counted.clone();
        async move {
            let mut buffer = [0; 4096];
            // One response, as if the connection stayed open; the next request finds it closed.
            if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                requests.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
            if stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                requests.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let proxy = failover(&[upstream.address(), upstream.address()], "").await;
    let mut client = proxy.client().await;
    assert_eq!(client.get("http://shop.test/1").await.body, "ok");
    assert_eq!(client.get("http://shop.test/2").await.body, "ok");
    // The second request was sent on the first connection, which was closed, and was sent again on a second one.
    assert_eq!((requests.load(Ordering::SeqCst), upstream.connections()), (3, 2));
}

/// Pingora closes the client's connection then; the client must be told.
#[tokio::test]
async fn upstream_failure_is_answered_with_connection_close() {
    let proxy = failover(&[hanging_up().await.address()], "[tenant.limits]\nattempts = 1").await;
    let reply = post(&proxy, "once").await;
    assert_eq!((reply.status, reply.header("connection")), (502, Some("close")));
}
