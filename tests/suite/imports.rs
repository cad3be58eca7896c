//! The imports of a module beyond its request: shared entries, upstream statistics, groups, clock and randomness.

use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::{Proxy, Tenant, Upstream, Wat, eventually, eventually_async, example};

fn quota(name: &str, upstream: &Upstream) -> Tenant {
    let config = format!("upstream = \"{}\"\nper_minute = 3", upstream.address());
    Tenant::new(name).module(example("quota"), &config)
}

#[tokio::test]
async fn counters_outlive_a_decision_and_belong_to_the_tenant() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(quota("one", &live)).and(quota("other", &live)).start().await;
    for tenant in ["one", "other"] {
        let mut client = proxy.client().await;
        let mut send = async |key: &str| {
            let request = get(&format!("http://{tenant}.test/")).header("x-api-key", key).body(Full::default());
            client.send(request.expect("a request")).await.expect("a response").status
        };
        assert_eq!([send("a").await, send("a").await, send("a").await, send("a").await], [200, 200, 200, 429]);
        assert_eq!(send("b").await, 200);
    }
}

/// All threads use the same counter, and no increment is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counters_are_atomic() {
    let live = Upstream::answering("live").start().await;
    let config = format!("upstream = \"{}\"\nper_minute = 150", live.address());
    let tenant = Tenant::new("shop").module(example("quota"), &config);
    let proxy = Proxy::with(tenant).threads(4).start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = proxy.client().await;
        clients.push(tokio::spawn(async move {
            let mut passed = 0;
            for _ in 0..25 {
                passed += usize::from(client.get("http://shop.test/").await.status == 200);
            }
            passed
        }));
    }
    let mut passed = 0;
    for client in clients {
        passed += client.await.expect("a client");
    }
    assert_eq!(passed, 150);
}

#[tokio::test]
async fn full_store_refuses_new_entries() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(quota("one", &live).table("[tenant.quota]\nshared_bytes = 200")).start().await;
    let mut client = proxy.client().await;
    for key in ["a", "a", "a", "b", "b", "b", "b"] {
        let request = get("http://one.test/").header("x-api-key", key).body(Full::default()).expect("a request");
        assert_eq!(client.send(request).await.expect("a response").status, 200, "{key}");
    }
    let request = get("http://one.test/").header("x-api-key", "a").body(Full::default()).expect("a request");
    assert_eq!(client.send(request).await.expect("a response").status, 429, "existing entries stay");
    let refused = r#"pointsman_over_budget_total{key="shared_bytes",tenant="one"}"#;
    assert_eq!(proxy.metric(refused).await, 4.0, "a request of `b` each");
}

fn least_loaded(addresses: &[std::net::SocketAddr], health_check: &str) -> Tenant {
    let addresses: Vec<String> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    Tenant::new("shop").module(example("least-loaded"), "").table(&format!(
        "[[tenant.group]]\nname = \"backends\"\naddresses = [{}]\n{health_check}",
        addresses.join(", ")
    ))
}

#[tokio::test]
async fn unhealthy_upstream_gets_no_requests() {
    let (one, two) = (Upstream::answering("one").start().await, Upstream::answering("two").start().await);
    let ill = Upstream::with(|request| match request.uri.path() {
        "/health" => pointsman_tests::Answer::status(500),
        _ => pointsman_tests::Answer::ok("ill"),
    });
    let ill = ill.start().await;
    let dead = Upstream::closed_port();
    let check =
        "[tenant.group.health_check]\npath = \"/health\"\nhost = \"health.test\"\ninterval_ms = 20\nfailures = 1";
    let proxy = Proxy::with(least_loaded(&[one.address(), ill.address(), two.address(), dead], check)).start().await;
    // Two rounds: the second begins when the first has been recorded.
    eventually("health checks", || (ill.requests().len() >= 2 && one.requests().len() >= 2).then_some(())).await;
    let probe = one.requests().remove(0);
    assert_eq!((probe.uri.path(), probe.header("host")), ("/health", Some("health.test")));

    let mut client = proxy.client().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        seen.insert(client.get("http://shop.test/").await.body);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(proxy.metric(r#"pointsman_attempts_total{outcome="refused",tenant="shop"}"#).await, 0.0);
}

#[tokio::test]
async fn tcp_health_check_notices_that_an_upstream_recovers() {
    let live = Upstream::answering("live").start().await;
    let late = Upstream::closed_port();
    let check = "[tenant.group.health_check]\ninterval_ms = 20\nfailures = 1";
    let proxy = Proxy::with(least_loaded(&[live.address(), late], check)).start().await;
    eventually("a health check", || (live.connections() >= 2).then_some(())).await;
    let late = Upstream::answering("late").at(late).await;
    let mut client = proxy.client().await;
    eventually_async("traffic", async || (client.get("http://shop.test/").await.body == "late").then_some(())).await;
    drop(late);
}

/// For a path of 8 bytes, it answers with the statistics of the configured address: 200, and 1 for each attempt
/// in flight, 10 for each failure, 100 if a latency is known. It passes on all other requests.
const FIGURES: &str = r#"
    (import "pointsman:router/config@0.1.0" "get-text" (func $text (param i32 i32 i32)))
    (import "pointsman:router/upstreams@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
    (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
    (data (i32.const 600) "/address")
    (func (export "select-peer") (param $request i32) (result i32)
      (call $path (local.get $request) (i32.const 1024))
      (call $drop (local.get $request))
      (if (i32.ne (i32.load (i32.const 1028)) (i32.const 8)) (then (return (i32.const 64))))
      (call $text (i32.const 600) (i32.const 8) (i32.const 1024))
      (call $get (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) (i32.const 1100))
      (i32.store16 (i32.const 136)
        (i32.add (i32.const 200)
          (i32.add (i32.load (i32.const 1112))
            (i32.add (i32.mul (i32.const 10) (i32.load (i32.const 1124)))
              (i32.mul (i32.const 100) (i32.load8_u (i32.const 1116)))))))
      (i32.const 128))"#;

fn reporting(module: &tempfile::NamedTempFile, address: std::net::SocketAddr) -> Tenant {
    let config = format!("address = \"{address}\"");
    Tenant::new("shop").module(module.path(), &config).module(example("fixed"), &config)
}

#[tokio::test]
async fn upstream_statistics_are_those_that_the_proxy_measures() {
    let upstream = Upstream::answering("live").start().await;
    let file = Wat::core(FIGURES).file();
    let proxy = Proxy::with(reporting(&file, upstream.address())).start().await;
    let figures = async || proxy.get("http://shop.test/figures").await.status;
    assert_eq!(figures().await, 200, "no statistics yet");
    upstream.hold(2);
    let release = async {
        eventually("the first request", || (upstream.requests().len() == 1).then_some(())).await;
        assert_eq!(figures().await, 201, "one is in flight");
        proxy.get("http://shop.test/").await.status
    };
    let (first, second) = tokio::join!(proxy.get("http://shop.test/"), release);
    assert_eq!((first.status, second), (200, 200));
    // An attempt ends with its request, just after the client has received its response.
    eventually_async("a latency, and nothing in flight", async || (figures().await == 300).then_some(())).await;
}

#[tokio::test]
async fn consecutive_failures_are_visible_to_the_module() {
    let file = Wat::core(FIGURES).file();
    let proxy = Proxy::with(reporting(&file, Upstream::closed_port())).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.code(), Some("upstream-refused"));
    assert_eq!(proxy.get("http://shop.test/figures").await.status, 230, "three attempts");
}

/// Statistics from one tenant's requests are not visible to others.
#[tokio::test]
async fn upstream_statistics_belong_to_the_tenant() {
    let dead = Upstream::closed_port();
    let file = Wat::core(FIGURES).file();
    let other = reporting(&file, dead).hostnames(&["other.test"]);
    let proxy = Proxy::with(reporting(&file, dead)).and(other.named("other")).start().await;
    proxy.get("http://shop.test/").await;
    assert_eq!(proxy.get("http://other.test/figures").await.status, 200);
}

#[tokio::test]
async fn upstream_group_needs_the_same_grants_as_a_peer() {
    let tenant = least_loaded(&["10.0.0.1:80".parse().expect("an address")], "");
    let error = Proxy::with(tenant).try_start().await.err().expect("a refusal to start");
    assert!(error.starts_with("tenant `shop`: group `backends`: `10.0.0.1:80` is of a private network"), "{error}");
}

/// Reads the clock twice, with a loop of some milliseconds between; the module answers 200 if both are the same.
#[tokio::test]
async fn clock_does_not_advance_during_a_decision() {
    let module = Wat::core(
        r#"
        (import "pointsman:router/clock@0.1.0" "now-ms" (func $now (result i64)))
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (func (export "select-peer") (param $request i32) (result i32)
          (local $first i64)
          (call $drop (local.get $request))
          (local.set $first (call $now))
          (loop $again
            (global.set $at (i32.add (global.get $at) (i32.const 1)))
            (br_if $again (i32.lt_u (global.get $at) (i32.const 3000000))))
          (if (i64.ne (local.get $first) (call $now)) (then unreachable))
          ;; Later than 2026-01-01.
          (if (i64.lt_u (local.get $first) (i64.const 1767225600000)) (then unreachable))
          (i32.const 128))"#,
    );
    let file = module.file();
    let proxy = Proxy::with(Tenant::new("clock").module(file.path(), "").table("[tenant.limits]\ndecision_ms = 1000"));
    assert_eq!(proxy.start().await.get("http://clock.test/").await.status, 200);
}
