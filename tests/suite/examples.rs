//! The examples as they are shipped: their configurations pass, and their modules behave as their pages say.

use http_body_util::Full;
use pointsman::server;
use pointsman_rules::config;
use pointsman_tests::client::get;
use pointsman_tests::modules::repository;
use pointsman_tests::{Answer, Proxy, Tenant, Upstream, example};

/// Every `pointsman.toml` below `examples/` is a configuration that `pointsman check` accepts.
#[test]
fn every_shipped_configuration_passes() {
    let mut checked = 0;
    for entry in std::fs::read_dir(repository().join("examples")).expect("the examples") {
        let file = entry.expect("an example").path().join("pointsman.toml");
        if !file.exists() {
            continue;
        }
        let config = config::load(&file).unwrap_or_else(|errors| panic!("{errors}"));
        let tests = server::check_files(&config, None).expect("an engine");
        assert!(tests.is_ok(), "{}: {tests:?}", file.display());
        checked += 1;
    }
    assert!(checked >= 7, "{checked} configurations");
}

#[tokio::test]
async fn canary_gets_its_share_and_obeys_the_header() {
    let stable = Upstream::answering("stable").start().await;
    let canary = Upstream::answering("canary").start().await;
    let config = format!("stable = \"{}\"\ncanary = \"{}\"\npercent = 25", stable.address(), canary.address());
    let proxy = Proxy::with(Tenant::new("shop").module(example("canary"), &config)).start().await;
    let mut client = proxy.client().await;

    let mut canaries = 0;
    for session in 0..400 {
        let request = || get("http://shop.test/").header("cookie", format!("session={session}"));
        let first = client.send(request().body(Full::default()).expect("a request")).await.expect("a response").body;
        let second = client.send(request().body(Full::default()).expect("a request")).await.expect("a response").body;
        assert_eq!(first, second, "session {session} moved");
        canaries += usize::from(first == "canary");
    }
    assert!((60..140).contains(&canaries), "{canaries} of 400 sessions, where a quarter is 100");

    let request = get("http://shop.test/").header("x-canary", "always").body(Full::default()).expect("a request");
    assert_eq!(client.send(request).await.expect("a response").body, "canary");
}

#[tokio::test]
async fn sticky_keeps_a_session_on_its_upstream() {
    let mut upstreams = Vec::new();
    for name in ["a", "b", "c"] {
        upstreams.push(Upstream::answering(name).start().await);
    }
    let list: Vec<String> = upstreams.iter().map(|upstream| format!("\"{}\"", upstream.address())).collect();
    let config = format!("upstreams = [{}]", list.join(", "));
    let proxy = Proxy::with(Tenant::new("shop").module(example("sticky"), &config)).start().await;
    let mut client = proxy.client().await;

    let mut seen = std::collections::BTreeSet::new();
    for session in 0..60 {
        let request = || {
            let request = get("http://shop.test/").header("cookie", format!("session={session}"));
            request.body(Full::default()).expect("a request")
        };
        let first = client.send(request()).await.expect("a response").body;
        assert_eq!(client.send(request()).await.expect("a response").body, first);
        seen.insert(first);
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[tokio::test]
async fn rewrite_removes_the_prefix_and_passes_on_other_paths() {
    let upstream = Upstream::with(|request| Answer::ok(request.uri.to_string())).start().await;
    let config = format!("upstream = \"{}\"\nprefix = \"/shop\"\nhost = \"shop.internal\"", upstream.address());
    let proxy = Proxy::with(Tenant::new("www").module(example("rewrite"), &config)).start().await;
    assert_eq!(proxy.get("http://www.test/shop/cart?x=1").await.body, "/cart?x=1");
    assert_eq!(upstream.only_request().header("host"), Some("shop.internal"));
    assert_eq!(upstream.only_request().header("x-forwarded-host"), Some("www.test"));
    assert_eq!(proxy.get("http://www.test/shopping").await.code(), Some("no-decision"));
}
