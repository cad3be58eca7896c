//! Modules that give no usable decision: the fallback that serves instead, and the breaker.

use pointsman_tests::{Proxy, Tenant, Upstream, Wat, eventually_async, example};
use serde_json::{Value, json};

/// A tenant whose modules trap each time.
fn broken(module: &tempfile::NamedTempFile) -> Tenant {
    Tenant::new("shop").module(module.path(), "")
}

fn trap() -> tempfile::NamedTempFile {
    Wat::select_peer("unreachable").file()
}

fn fallback_module(upstream: &Upstream) -> String {
    format!(
        "[[tenant.failure.module]]\npath = {:?}\nconfig = {{ address = \"{}\" }}",
        example("fixed"),
        upstream.address()
    )
}

fn fallback_peer(upstream: &Upstream) -> String {
    format!("[tenant.failure.peer]\naddress = \"{}\"", upstream.address())
}

fn because_of_the_trap(fallback: &Value, level: &str) -> bool {
    let cause = fallback["cause"].as_str().unwrap_or_default();
    fallback["level"] == level && fallback["code"] == "module-trap" && cause.starts_with("the module trapped")
}

#[tokio::test]
async fn fallback_module_comes_first() {
    let (module, peer) = (Upstream::answering("module").start().await, Upstream::answering("peer").start().await);
    let file = trap();
    let tenant = broken(&file).table(&fallback_peer(&peer)).table(&fallback_module(&module));
    let proxy = Proxy::with(tenant).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "module");
    let line = &proxy.log(1).await[0];
    assert!(because_of_the_trap(&line["fallback"], "module") && line["error"].is_null(), "{line}");
    assert_eq!(proxy.metric(r#"pointsman_fallbacks_total{level="module",tenant="shop"}"#).await, 1.0);
    assert_eq!(proxy.metric(r#"pointsman_decisions_total{outcome="trap",tenant="shop"}"#).await, 1.0);
    assert_eq!(proxy.metric(r#"pointsman_decisions_total{outcome="connect",tenant="shop"}"#).await, 1.0);
}

#[tokio::test]
async fn fallback_peer_serves_where_no_module_can() {
    let peer = Upstream::answering("peer").start().await;
    let (file, other) = (trap(), trap());
    let tenant = broken(&file)
        .table(&fallback_peer(&peer))
        .table(&format!("[[tenant.failure.module]]\npath = {:?}", other.path()));
    let proxy = Proxy::with(tenant).start().await;
    assert_eq!(proxy.get("http://shop.test/cart").await.body, "peer");
    assert_eq!(peer.only_request().uri.path(), "/cart");
    let line = &proxy.log(1).await[0];
    assert!(because_of_the_trap(&line["fallback"], "peer"), "{line}");
    assert_eq!(line["upstream"], json!(peer.address().to_string()));
}

#[tokio::test]
async fn fallback_answer_comes_last() {
    let file = trap();
    let tenant = broken(&file).table("[tenant.failure]\nstatus = 503\nbody = \"later\"");
    let proxy = Proxy::with(tenant).start().await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.body.as_str(), reply.code()), (503, "later", Some("module-trap")));
    let line = &proxy.log(1).await[0];
    assert!(line["fallback"].is_null() && line["error"]["code"] == "module-trap", "{line}");
    assert_eq!(proxy.metric(r#"pointsman_fallbacks_total{level="answer",tenant="shop"}"#).await, 1.0);
}

/// After a failed attempt the modules are called again, and the fallback after them.
#[tokio::test]
async fn fallback_peer_is_retried_like_any_other() {
    let file = trap();
    let dead = Upstream::closed_port();
    let tenant = broken(&file).table(&format!("[tenant.failure.peer]\naddress = \"{dead}\""));
    let proxy = Proxy::with(tenant).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.code(), Some("upstream-refused"));
    assert_eq!(proxy.log(1).await[0]["attempts"], 3);
}

#[tokio::test]
async fn fallback_peer_without_a_grant_is_refused_at_the_start() {
    let file = trap();
    let tenant = broken(&file).table("[tenant.failure.peer]\naddress = \"10.0.0.1:80\"");
    let error = Proxy::with(tenant).try_start().await.err().expect("a refusal to start");
    assert!(error.starts_with("tenant `shop`: failure.peer: `peer.address`: `10.0.0.1:80` is of a private"), "{error}");
}

/// A decision of the lab's module is refused, and so counts as failed, if it needs a grant that is missing.
#[tokio::test]
async fn breaker_opens_is_probed_and_closes() {
    let live = Upstream::answering("live").start().await;
    let (good, bad) = (format!(r#"{{"address": "{}"}}"#, live.address()), r#"{"address": "10.0.0.1:80"}"#);
    // Cached decisions are used whatever the state of the breaker.
    let tenant = Tenant::new("lab").module(example("lab"), "").table("[tenant.quota]\ncache_entries = 0");
    let proxy = Proxy::with(tenant.table("[tenant.breaker]\nfailures = 3\nopen_ms = 1500\nprobes = 2")).start().await;
    let state = r#"pointsman_breaker_state{tenant="lab"}"#;

    for order in [bad, bad, good.as_str(), bad, bad] {
        assert_ne!(proxy.order(order).await.code(), Some("breaker-open"));
    }
    assert_eq!(proxy.metric(state).await, 0.0, "never three consecutive failures");
    assert_eq!(proxy.order(bad).await.code(), Some("decision-refused"));
    assert_eq!((proxy.order(&good).await.code(), proxy.metric(state).await), (Some("breaker-open"), 2.0));
    // It is admitted as soon as the breaker is half open; the second probe closes it.
    eventually_async("a probe", async || (proxy.order(&good).await.body == "live").then_some(())).await;
    assert_eq!(proxy.metric(state).await, 1.0);
    assert_eq!((proxy.order(&good).await.body.as_str(), proxy.metric(state).await), ("live", 0.0));
}

#[tokio::test]
async fn module_with_occasional_failures_is_still_called() {
    let live = Upstream::answering("live").start().await;
    let (good, bad) = (format!(r#"{{"address": "{}"}}"#, live.address()), r#"{"address": "10.0.0.1:80"}"#);
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await;
    for turn in 0..60 {
        let reply = proxy.order(if turn % 10 == 9 { bad } else { &good }).await;
        assert_eq!(reply.status, if turn % 10 == 9 { 500 } else { 200 });
    }
}
