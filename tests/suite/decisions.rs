//! The decisions of a module and their effect: connect, respond, pass, rewrite, refusals.

use http::Request;
use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::{Answer, Client, Proxy, Tenant, Upstream, Wat, example};

/// A tenant whose module reads its decision from the request header `pointsman-lab`.
fn lab() -> Tenant {
    Tenant::new("lab").module(example("lab"), "")
}

async fn decide(client: &mut Client, decision: &str) -> pointsman_tests::Reply {
    let request =
        get("http://lab.test/a/b?x=1").header("pointsman-lab", decision).header("x-old", "1").header("x-old", "2");
    client.send(request.body(Full::default()).expect("a request")).await.expect("a response")
}

#[tokio::test]
async fn request_and_response_are_forwarded_completely() {
    let upstream = Upstream::with(|received| {
        let mut answer = Answer::ok(received.body.clone());
        answer.headers.push(("x-upstream", "yes".to_owned()));
        answer
    })
    .start()
    .await;
    let config = format!("upstreams = [\"{}\"]", upstream.address());
    let proxy = Proxy::with(Tenant::new("shop").module(example("failover"), &config)).start().await;

    let body = "x".repeat(200_000);
    let request = Request::post("http://shop.test/cart?item=1").header("x-client", "yes");
    let request = request.body(Full::from(body.clone())).expect("a request");
    let reply = proxy.client().await.send(request).await.expect("a response");

    assert_eq!((reply.status, reply.header("x-upstream"), reply.code()), (200, Some("yes"), None));
    assert_eq!(reply.body, body);
    let received = upstream.only_request();
    assert_eq!((received.method.as_str(), received.uri.to_string().as_str()), ("POST", "/cart?item=1"));
    assert_eq!((received.header("host"), received.header("x-client")), (Some("shop.test"), Some("yes")));
}

#[tokio::test]
async fn response_from_the_module_leaves_the_connection_open() {
    let proxy = Proxy::with(lab()).start().await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        let reply = decide(
            &mut client,
            r#"{"respond": {"status": 429, "headers": [{"name": "retry-after", "value": "7"}], "body": "later"}}"#,
        )
        .await;
        assert_eq!((reply.status, reply.body.as_str()), (429, "later"));
        assert_eq!((reply.header("retry-after"), reply.header("content-length")), (Some("7"), Some("5")));
        assert_eq!(reply.code(), None);
    }
}

#[tokio::test]
async fn answer_to_head_has_no_body() {
    let proxy = Proxy::with(lab()).start().await;
    let request = Request::head("http://lab.test/")
        .header("pointsman-lab", r#"{"respond": {"status": 200, "body": "hello"}}"#)
        .body(Full::default())
        .expect("a request");
    let reply = proxy.client().await.send(request).await.expect("a response");
    assert_eq!((reply.status, reply.body.as_str(), reply.header("content-length")), (200, "", Some("5")));
}

#[tokio::test]
async fn next_module_decides_when_the_first_passes() {
    let live = Upstream::answering("live").start().await;
    let passing = Wat::select_peer("(i32.const 64)").file();
    let tenant = Tenant::new("shop")
        .module(passing.path(), "")
        .module(example("failover"), &format!("upstreams = [\"{}\"]", live.address()));
    let proxy = Proxy::with(tenant).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "live");
}

#[tokio::test]
async fn tenant_has_its_own_failure_answer() {
    let passing = Wat::select_peer("(i32.const 64)").file();
    let tenant = Tenant::new("shop")
        .module(passing.path(), "")
        .table("[tenant.failure]\nstatus = 418\nbody = \"<p>closed</p>\"\ncontent_type = \"text/html\"");
    let proxy = Proxy::with(tenant).start().await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!(
        (reply.status, reply.body.as_str(), reply.header("content-type")),
        (418, "<p>closed</p>", Some("text/html"))
    );
    assert_eq!(reply.code(), Some("no-decision"));
}

#[tokio::test]
async fn error_header_can_be_disabled() {
    let passing = Wat::select_peer("(i32.const 64)").file();
    let proxy = Proxy::with(Tenant::new("shop").module(passing.path(), "")).proxy("error_header = false").start().await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code(), reply.body.as_str()), (503, None, ""));
}

#[tokio::test]
async fn unknown_hostname_is_not_found() {
    let proxy = Proxy::with(lab()).start().await;
    let mut client = proxy.client().await;
    for _ in 0..2 {
        let reply = client.get("http://nobody.test/").await;
        assert_eq!((reply.status, reply.code()), (404, Some("no-tenant")));
    }
    let log = proxy.log(2).await;
    assert_eq!(log[0]["error"]["cause"], "no tenant has the hostname `nobody.test`");
}

#[tokio::test]
async fn rewrite_changes_what_the_upstream_sees() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(lab()).start().await;
    let decision = format!(
        r#"{{"route": {{"peer": {{"address": "{}"}}, "rewrite": {{
            "authority": "inner.test:81", "path-and-query": "/other?y=2",
            "remove-headers": ["pointsman-lab"],
            "set-headers": [{{"name": "x-old", "value": "set"}}],
            "add-headers": [{{"name": "x-new", "value": "1"}}, {{"name": "x-new", "value": "2"}}]}}}}}}"#,
        upstream.address()
    )
    .replace('\n', " ");
    let reply = decide(&mut proxy.client().await, &decision).await;
    assert_eq!(reply.status, 200, "{}", reply.body);

    let reply = decide(&mut Client::http2(proxy.address()).await, &decision).await;
    assert_eq!(reply.status, 200, "{}", reply.body);

    let over_h2 = decision.replacen("}, \"rewrite\"", ", \"http\": {\"alpn\": \"h2\"}}, \"rewrite\"", 1);
    let reply = decide(&mut proxy.client().await, &over_h2).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let mut requests = upstream.requests();
    let h2 = requests.pop().expect("a request");
    assert_eq!(h2.uri.to_string(), "http://inner.test:81/other?y=2");
    assert_eq!((h2.header("x-old"), h2.header("pointsman-lab")), (Some("set"), None));

    for received in requests {
        assert_eq!((received.uri.to_string().as_str(), received.header("host")), ("/other?y=2", Some("inner.test:81")));
        assert_eq!(received.header("pointsman-lab"), None);
        let all = |name: &str| {
            received.headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((all("x-old"), all("x-new")), (vec!["set".to_owned()], vec!["1".to_owned(), "2".to_owned()]));
    }
}

#[tokio::test]
async fn refused_record_names_its_field_in_the_log_and_not_to_the_client() {
    let proxy = Proxy::with(lab()).start().await;
    let mut client = proxy.client().await;
    let mut count = 0;
    for (peer, field) in [
        (r#"{"address": "127.1:80"}"#, "peer.address"),
        (r#"{"address": "127.0.0.1:0"}"#, "peer.address"),
        (r#"{"address": "127.0.0.1:80", "timeouts": {"connect-ms": 0}}"#, "peer.timeouts.connect-ms"),
        (r#"{"address": "127.0.0.1:80", "socket": {"dscp": 64}}"#, "peer.socket.dscp"),
        (r#"{"address": "127.0.0.1:80", "tls": {"verify": "none"}}"#, "peer.tls.verify"),
        (r#"{"address": "127.0.0.1:80", "tls": {}}"#, "peer.tls.sni"),
    ] {
        let reply = decide(&mut client, &format!(r#"{{"route": {{"peer": {peer}}}}}"#)).await;
        assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")), "{peer}");
        assert!(!reply.body.contains("peer"), "{}", reply.body);
        count += 1;
        let cause = &proxy.log(count).await[count - 1]["error"]["cause"];
        assert!(cause.as_str().is_some_and(|cause| cause.contains(&format!("`{field}`"))), "{field}: {cause}");
    }
}

#[tokio::test]
async fn access_log_records_the_decision_and_its_outcome() {
    let live = Upstream::answering("live").start().await;
    let config = format!("upstreams = [\"{}\"]", live.address());
    let proxy = Proxy::with(Tenant::new("shop").module(example("failover"), &config)).start().await;
    proxy.get("http://shop.test/cart").await;
    let line = &proxy.log(1).await[0];
    assert_eq!((&line["tenant"], &line["decision"], &line["status"]), (&"shop".into(), &"connect".into(), &200.into()));
    assert_eq!(line["upstream"], live.address().to_string());
    assert_eq!((&line["path"], &line["attempts"], &line["bytes"]), (&"/cart".into(), &1.into(), &4.into()));
    assert_eq!(line["module"].as_str().map(str::len), Some(12));
    assert!(line["decision_us"].as_u64().is_some_and(|microseconds| microseconds > 0));
}
