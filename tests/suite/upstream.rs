//! The upstream's side: the effect of a peer's attributes, over real sockets.

use pointsman_tests::{Authority, Client, Proxy, Tenant, Upstream, example};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const GRANTS: &str = "[tenant.grants]\nverify = [\"chain-only\", \"none\"]\nbind_to = true";

fn lab() -> Tenant {
    Tenant::new("lab").module(example("lab"), "").table(GRANTS)
}

/// Sends a request to a peer, given as JSON.
#[tokio::test]
async fn tls_to_the_upstream_sends_the_server_name_and_checks_the_certificate() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &["http/1.1"]).start().await;
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let reply = proxy.order(&format!(r#"{{"address": "{}", "tls": {{"sni": "api.test"}}}}"#, live.address())).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "live"));
    let received = live.only_request();
    assert_eq!((received.sni.as_deref(), received.alpn.as_deref()), (Some("api.test"), Some("http/1.1")));
}

#[tokio::test]
async fn invalid_certificates_are_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let proxy = Proxy::with(lab()).trusting(&ours).start().await;
    let mut logged = 0;
    for (leaf, why) in [
        (theirs.leaf(&["api.test"]), "unable to get local issuer certificate"),
        (ours.intermediate("between").leaf(&["api.test"]), "unable to get local issuer certificate"),
        (Authority::self_signed(&["api.test"]), "self-signed certificate"),
        (ours.leaf(&["other.test"]), "hostname mismatch"),
        (ours.expired(&["api.test"]), "certificate has expired"),
    ] {
        let upstream = Upstream::answering("live").tls(&leaf, &["http/1.1"]).start().await;
        let peer = format!(r#"{{"address": "{}", "tls": {{"sni": "api.test"}}}}"#, upstream.address());
        let reply = proxy.order(&peer).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-certificate")), "{why}");
        assert!(upstream.requests().is_empty(), "{why}");
        logged += 1;
        let line = &proxy.log(logged).await[logged - 1];
        let cause = line["error"]["cause"].as_str().unwrap_or_default();
        assert!(cause.ends_with(why), "{cause} instead of {why}");
    }
}

/// Pingora offers no Ed25519 signatures, as docs/peer.md says.
#[tokio::test]
async fn certificate_with_an_ed25519_key_is_refused() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.ed25519(&["api.test"]), &["http/1.1"]).start().await;
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let reply = proxy.order(&format!(r#"{{"address": "{}", "tls": {{"sni": "api.test"}}}}"#, live.address())).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-tls")));
    let cause = proxy.log(1).await[0]["error"]["cause"].to_string();
    assert!(cause.contains("handshake failure"), "{cause}");
}

#[tokio::test]
async fn weaker_verification_applies_where_it_is_granted() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let proxy = Proxy::with(lab()).trusting(&ours).start().await;
    let other_name = Upstream::answering("chain").tls(&ours.leaf(&["other.test"]), &["http/1.1"]).start().await;
    let unknown = Upstream::answering("none").tls(&theirs.leaf(&["api.test"]), &["http/1.1"]).start().await;

    let tls = |address, verify: &str| {
        format!(r#"{{"address": "{address}", "tls": {{"sni": "api.test", "verify": "{verify}"}}}}"#)
    };
    assert_eq!(proxy.order(&tls(other_name.address(), "chain-only")).await.body, "chain");
    assert_eq!(proxy.order(&tls(unknown.address(), "chain-only")).await.code(), Some("upstream-certificate"));
    assert_eq!(proxy.order(&tls(unknown.address(), "none")).await.body, "none");
}

#[tokio::test]
async fn certificate_may_match_the_alternative_name() {
    let authority = Authority::new("upstream");
    let live = Upstream::answering("live").tls(&authority.leaf(&["other.test"]), &["http/1.1"]).start().await;
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let tls = r#"{"sni": "api.test", "alternative-cn": "other.test"}"#;
    let reply = proxy.order(&format!(r#"{{"address": "{}", "tls": {tls}}}"#, live.address())).await;
    assert_eq!(reply.body, "live");
    assert_eq!(live.only_request().sni.as_deref(), Some("api.test"));
}

#[tokio::test]
async fn http_version_is_negotiated_by_alpn() {
    let authority = Authority::new("upstream");
    let proxy = Proxy::with(lab()).trusting(&authority).start().await;
    let both = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &["h2", "http/1.1"]).start().await;
    let old = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &["http/1.1"]).start().await;
    for (upstream, alpn, version) in [
        (&both, "h1", http::Version::HTTP_11),
        (&both, "h2", http::Version::HTTP_2),
        (&both, "h2h1", http::Version::HTTP_2),
        (&old, "h2h1", http::Version::HTTP_11),
    ] {
        let peer = format!(
            r#"{{"address": "{}", "tls": {{"sni": "api.test"}}, "http": {{"alpn": "{alpn}"}}, "isolation": "{alpn}"}}"#,
            upstream.address()
        );
        assert_eq!(proxy.order(&peer).await.body, "live", "{alpn}");
        assert_eq!(upstream.requests().last().map(|received| received.version), Some(version), "{alpn}");
    }
}

#[tokio::test]
async fn http2_refused_in_alpn_fails_the_attempt() {
    let authority = Authority::new("upstream");
    let proxy = Proxy::with(lab().table("[tenant.limits]\nattempts = 2")).trusting(&authority).start().await;
    // One that chooses HTTP/1.1, and one that negotiates nothing.
    for (turn, alpn) in [["http/1.1"].as_slice(), &[]].into_iter().enumerate() {
        let old = Upstream::answering("old").tls(&authority.leaf(&["api.test"]), alpn).start().await;
        let peer =
            format!(r#"{{"address": "{}", "tls": {{"sni": "api.test"}}, "http": {{"alpn": "h2"}}}}"#, old.address());
        let reply = proxy.order(&peer).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-tls")));
        let line = &proxy.log(turn + 1).await[turn];
        let cause = line["error"]["cause"].as_str().unwrap_or_default();
        assert!(cause.contains("did not agree to HTTP/2"), "{cause}");
        assert_eq!(line["failed_attempts"][0]["failure"], "tls-protocol");
        // Nothing was sent, so the request may be retried; and such a connection is not pooled.
        assert_eq!((line["attempts"].as_u64(), old.requests().len(), old.connections()), (Some(2), 0, 2));
    }
}

#[tokio::test]
async fn http2_without_tls_fails_where_the_server_does_not_speak_it() {
    let old = Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let proxy = Proxy::with(lab().table("[tenant.limits]\nattempts = 1")).start().await;
    let reply = proxy.order(&format!(r#"{{"address": "{}", "http": {{"alpn": "h2"}}}}"#, old.address())).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-protocol")));
    let cause = proxy.log(1).await[0]["error"]["cause"].to_string();
    assert!(cause.contains("HTTP/2"), "{cause}");
}

#[tokio::test]
async fn http2_without_tls_is_spoken_by_prior_knowledge() {
    let live = Upstream::answering("live").start().await;
    let proxy = Proxy::with(lab()).start().await;
    let peer = format!(r#"{{"address": "{}", "http": {{"alpn": "h2"}}}}"#, live.address());
    assert_eq!(proxy.order(&peer).await.body, "live");
    assert_eq!(Client::http2(proxy.address()).await.order(&peer).await.body, "live");
    for received in live.requests() {
        assert_eq!(received.version, http::Version::HTTP_2);
        assert_eq!(received.uri.authority().map(|authority| authority.as_str()), Some("lab.test"));
    }
}

#[tokio::test]
async fn response_that_is_not_http_is_its_own_failure() {
    let odd = Upstream::raw(|mut stream, _| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    let proxy = Proxy::with(lab().table("[tenant.limits]\nattempts = 1")).start().await;
    let reply = proxy.order(&format!(r#"{{"address": "{}"}}"#, odd.address())).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-protocol")));
}

#[tokio::test]
async fn unix_socket_is_reached_where_it_is_granted() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("app.sock");
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = connections.clone();
    let upstream = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix").await;
                    sent.expect("the answer is sent");
                }
            });
        }
    });

    let grants = format!("[tenant.grants]\nunix_sockets = [\"{}/\"]", folder.path().display());
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "").table(&grants)).start().await;
    let mut client = proxy.client().await;
    for _ in 0..3 {
        assert_eq!(client.order(&format!(r#"{{"address": "unix:{}"}}"#, path.display())).await.body, "unix");
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1, "the connection is reused");

    let reply = client.order(r#"{"address": "unix:/run/other.sock"}"#).await;
    assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")));
    let absent = format!(r#"{{"address": "unix:{}/absent.sock"}}"#, folder.path().display());
    assert_eq!(client.order(&absent).await.status, 502);
    upstream.abort();
}
