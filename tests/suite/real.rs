//! Real programs behind the proxy: nginx, `openssl s_server`, tinyproxy and gRPC.

use pointsman_tests::parts::{Part, python};
use pointsman_tests::{Authority, Proxy, Tenant, Upstream, example};
use serde_json::{Value, json};

fn lab() -> Tenant {
    let tables = "[tenant.limits]\nattempts = 1\n[tenant.grants]\nverify = [\"none\"]";
    Tenant::new("lab").module(example("lab"), "").table(tables)
}

#[tokio::test]
async fn nginx_sees_the_client_certificate_and_the_http_version() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = "listen ADDRESS ssl http2; ssl_certificate server.pem; ssl_certificate_key server.pem; \
                  ssl_client_certificate ca.pem; ssl_verify_client on; \
                  location / { return 200 '$server_protocol $ssl_server_name $ssl_client_s_dn'; }";
    let nginx = Part::nginx(server, &servers.leaf(&["api.test"]), &clients).await;
    let proxy = Proxy::with(lab().table("credentials = [\"ours\", \"roots\"]"))
        .trusting(&servers)
        .ca("roots", &clients)
        .client_cert("ours", &clients.client("pointsman", 7))
        .start()
        .await;
    let peer =
        |alpn: &str, tls: Value| json!({"address": nginx.address().to_string(), "tls": tls, "http": {"alpn": alpn}});

    let certified = json!({"sni": "api.test", "client-cert": "ours"});
    for (alpn, version) in [("h1", "HTTP/1.1"), ("h2", "HTTP/2.0"), ("h2h1", "HTTP/2.0")] {
        let reply = proxy.order(&peer(alpn, certified.clone())).await;
        assert_eq!((reply.status, reply.body), (200, format!("{version} api.test CN=pointsman")), "{alpn}");
    }
    // nginx accepts the connection and refuses the request.
    let reply = proxy.order(&peer("h1", json!({"sni": "api.test"}))).await;
    assert_eq!((reply.status, reply.code()), (400, None));
    let reply = proxy.order(&peer("h1", json!({"sni": "api.test", "client-cert": "ours", "ca": "roots"}))).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-certificate")));
}

#[tokio::test]
async fn tinyproxy_opens_tunnels_for_authenticated_requests() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &["h2", "http/1.1"]).start().await;
    let tinyproxy = Part::tinyproxy("BasicAuth user secret").await;
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let peer = |headers: Value| {
        json!({
            "address": live.address().to_string(),
            "tls": {"sni": "api.test"},
            "http": {"alpn": "h2"},
            "connect-proxy": {"address": tinyproxy.address().to_string(), "headers": headers},
        })
    };
    // `user:secret`.
    let credentials = json!([{"name": "proxy-authorization", "value": "Basic dXNlcjpzZWNyZXQ="}]);
    let reply = proxy.order(&peer(credentials)).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "live"));
    assert_eq!(live.only_request().version, http::Version::HTTP_2);

    let reply = proxy.order(&peer(json!([]))).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-proxy-refused")));
    let lines = proxy.log(2).await;
    let refused =
        |line: &Value| line["error"]["cause"].as_str().is_some_and(|cause| cause.contains("the proxy answered 40"));
    assert_eq!(lines.iter().filter(|line| refused(line)).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn key_exchange_groups_are_offered_as_the_peer_configures() {
    let authority = Authority::new("upstream");
    let picky = Part::s_server(&authority.leaf(&["api.test"]), &["-groups", "P-384"]).await;
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let peer =
        |curves: &str| json!({"address": picky.address().to_string(), "tls": {"sni": "api.test", "curves": curves}});
    let reply = proxy.order(&peer("X25519:P-384")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.code());
    let reply = proxy.order(&peer("X25519:P-256")).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-tls")));
}

#[tokio::test]
async fn certificates_of_every_kind_are_verified() {
    let authority = Authority::new("upstream");
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    for (leaf, options, status) in [
        (authority.leaf(&["www.api.test"]), &["-tls1_2"][..], 200),
        (authority.leaf(&["www.api.test"]), &["-tls1_3"][..], 200),
        (authority.leaf(&["*.api.test"]), &[][..], 200),
        (authority.leaf(&["*.www.api.test"]), &[][..], 502),
        (authority.expired(&["www.api.test"]), &[][..], 502),
        (Authority::self_signed(&["www.api.test"]), &[][..], 502),
    ] {
        let upstream = Part::s_server(&leaf, options).await;
        let peer = json!({"address": upstream.address().to_string(), "tls": {"sni": "www.api.test"}});
        let reply = proxy.order(&peer).await;
        assert_eq!(reply.status, status, "{options:?}: {:?}", reply.code());
        assert_eq!(reply.code(), (status == 502).then_some("upstream-certificate"));
        let unchecked = json!({"address": upstream.address().to_string(), "tls": {"verify": "none"}});
        assert_eq!(proxy.order(&unchecked).await.status, 200, "{options:?}");
    }
}

#[tokio::test]
async fn grpc_streams_and_trailers_are_forwarded() {
    let server = Part::grpc_server();
    let proxy = Proxy::with(lab()).start().await;
    let order = json!({"address": server.address().to_string(), "http": {"alpn": "h2"}}).to_string();
    let address = proxy.address().to_string();
    let output =
        tokio::task::spawn_blocking(move || python("grpc_client.py", &[&address, "lab.test", &order]).output());
    let output = output.await.expect("a client").expect("the client runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("all calls succeeded"), "{printed}");
    // One connection for all of them, and the call that the client cancelled is among the logged ones.
    assert!(proxy.log(7).await.iter().all(|line| line["protocol"] == "HTTP/2"));
}
