//! Credentials that an operator defines and grants, that a module names, and that the upstream sees.

use openssl::pkey::PKey;
use openssl::symm::Cipher;
use pointsman_tests::client::shown_certificates;
use pointsman_tests::{Authority, Client, Proxy, Reply, Tenant, Upstream, example};

fn lab(credentials: &str) -> Tenant {
    Tenant::new("lab").module(example("lab"), "").table(&format!("[tenant.grants]\ncredentials = {credentials}"))
}

/// Sends a request to an upstream over TLS, with these further fields of the record `tls`.
async fn through(client: &mut Client, upstream: &Upstream, tls: &str) -> Reply {
    client.order(format!(r#"{{"address": "{}", "tls": {{"sni": "api.test"{tls}}}}}"#, upstream.address())).await
}

#[tokio::test]
async fn upstream_is_checked_against_the_named_roots_alone() {
    let (system, private) = (Authority::new("system"), Authority::new("private"));
    let known = Upstream::answering("known").tls(&system.leaf(&["api.test"]), &["http/1.1"]).start().await;
    let inner = Upstream::answering("inner").tls(&private.leaf(&["api.test"]), &["http/1.1"]).start().await;
    let proxy = Proxy::with(lab("[\"inner\"]")).trusting(&system).ca("inner", &private).start().await;
    let mut client = proxy.client().await;
    let named = r#", "ca": "inner""#;

    assert_eq!(through(&mut client, &known, "").await.body, "known");
    assert_eq!(through(&mut client, &inner, named).await.body, "inner");
    for (upstream, tls) in [(&inner, ""), (&known, named)] {
        let reply = through(&mut proxy.client().await, upstream, tls).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-certificate")));
    }
}

#[tokio::test]
async fn client_certificate_is_presented_where_the_peer_names_it() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let upstream = Upstream::answering("live").mutual_tls(&servers.leaf(&["api.test"]), &[&clients]).start().await;
    let proxy = Proxy::with(lab("[\"ours\"]"))
        .trusting(&servers)
        .client_cert("ours", &clients.client("pointsman", 7))
        .start()
        .await;
    let mut client = proxy.client().await;
    assert_eq!(through(&mut client, &upstream, r#", "client-cert": "ours""#).await.body, "live");
    assert_eq!(upstream.only_request().client, Some(("clients".to_owned(), "pointsman".to_owned())));
    assert_eq!(through(&mut client, &upstream, "").await.status, 502);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn credential_that_is_not_granted_is_refused() {
    let authority = Authority::new("any");
    let upstream = Upstream::answering("live").tls(&authority.leaf(&["api.test"]), &["http/1.1"]).start().await;
    let proxy = Proxy::with(lab("[]"))
        .ca("inner", &authority)
        .client_cert("ours", &authority.client("pointsman", 7))
        .start()
        .await;
    let mut client = proxy.client().await;
    for tls in [r#", "ca": "inner""#, r#", "client-cert": "ours""#, r#", "ca": "nobody""#] {
        let reply = through(&mut client, &upstream, tls).await;
        assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")), "{tls}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// Plain Pingora distinguishes client certificates only by their serial number, and roots not at all.
#[tokio::test]
async fn certificate_and_roots_separate_connections() {
    let servers = Authority::new("servers");
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let upstream = Upstream::answering("live").mutual_tls(&servers.leaf(&["api.test"]), &[&one, &two]).start().await;
    let proxy = Proxy::with(lab("[\"one\", \"two\", \"roots\"]"))
        .trusting(&servers)
        .ca("roots", &servers)
        .client_cert("one", &one.client("pointsman", 7))
        .client_cert("two", &two.client("pointsman", 7))
        .start()
        .await;
    let mut client = proxy.client().await;
    let variants = [
        (r#", "client-cert": "one""#, "one"),
        (r#", "client-cert": "two""#, "two"),
        (r#", "client-cert": "one", "ca": "roots""#, "one"),
    ];
    for _ in 0..2 {
        for (tls, issuer) in variants {
            assert_eq!(through(&mut client, &upstream, tls).await.body, "live", "{tls}");
            let received = upstream.requests().last().and_then(|received| received.client.clone());
            assert_eq!(received.map(|(issuer, _)| issuer).as_deref(), Some(issuer), "{tls}");
        }
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn replaced_certificate_is_used_on_a_new_connection() {
    let servers = Authority::new("servers");
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let upstream = Upstream::answering("live").mutual_tls(&servers.leaf(&["api.test"]), &[&old, &new]).start().await;
    let proxy = Proxy::with(lab("[\"ours\"]"))
        .trusting(&servers)
        .client_cert("ours", &old.client("pointsman", 7))
        .start()
        .await;
    let mut client = proxy.client().await;
    let mut issuer = async || {
        assert_eq!(through(&mut client, &upstream, r#", "client-cert": "ours""#).await.body, "live");
        upstream
            .requests()
            .last()
            .and_then(|received| received.client.clone())
            .map(|(issuer, _)| issuer)
            .expect("a certificate")
    };
    assert_eq!(issuer().await, "old");

    proxy.exchange("ours", &new.client("pointsman", 7));
    assert_eq!(issuer().await, "old", "files alone change nothing");
    proxy.reload().await.expect("the new files are good");
    assert_eq!(issuer().await, "new");
    assert_eq!(issuer().await, "new");
    assert_eq!(upstream.connections(), 2);

    let mut broken = new.client("pointsman", 8);
    broken.key = old.client("pointsman", 8).key;
    proxy.exchange("ours", &broken);
    let refused = proxy.reload().await.expect_err("the key is another's");
    assert!(refused.contains("does not belong to the first certificate"), "{refused}");
    assert_eq!(issuer().await, "new", "the last good certificate stays in use");
}

#[tokio::test]
async fn invalid_credential_files_are_refused_at_the_start() {
    let authority = Authority::new("any");
    let (ours, theirs) = (authority.client("ours", 1), authority.client("theirs", 2));
    let mut mixed = ours.clone();
    mixed.key = theirs.key.clone();
    let mut empty = ours.clone();
    empty.certificate.clear();
    let mut keyless = ours.clone();
    keyless.key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned();
    for (leaf, expected) in [
        (mixed, "does not belong to the first certificate"),
        (empty, "contains no PEM certificate"),
        (keyless, "contains no PEM private key"),
    ] {
        let started = Proxy::with(lab("[\"ours\"]")).client_cert("ours", &leaf).try_start().await;
        match started {
            Ok(_) => panic!("it started, instead of: {expected}"),
            Err(message) => assert!(message.contains("credential `ours`") && message.contains(expected), "{message}"),
        }
    }
}

#[tokio::test]
async fn replaced_certificate_of_a_listener_is_presented_on_new_connections() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(lab("[]")).tls(&old.leaf(&["lab.test"])).start().await;
    let address = proxy.address_of("tls");
    let order = format!(r#"{{"address": "{}"}}"#, upstream.address());
    let mut open = [Client::tls(address, "lab.test", &["h2"]).await, Client::tls(address, "lab.test", &[]).await];
    for client in &mut open {
        assert_eq!(client.order(&order).await.body, "live");
    }
    assert_eq!(shown_certificates(address).await, ["old"]);

    let mut chain = new.leaf(&["lab.test"]);
    chain.certificate.push_str(new.pem());
    proxy.exchange("server", &chain);
    assert_eq!(shown_certificates(address).await, ["old"], "files alone change nothing");
    proxy.reload().await.expect("the new files are good");
    assert_eq!(shown_certificates(address).await, ["new", "new"]);
    for client in &mut open {
        assert_eq!(client.order(&order).await.body, "live", "an open connection is unaffected");
    }
}

#[tokio::test]
async fn invalid_certificate_of_a_listener_refuses_the_whole_reload() {
    let authority = Authority::new("good");
    let good = authority.leaf(&["lab.test"]);
    let proxy = Proxy::with(lab("[]")).tls(&good).start().await;
    let before = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    std::fs::write(proxy.config_file(), before.replace("lab.test", "moved.test")).expect("written");
    assert_ne!(before, before.replace("lab.test", "moved.test"));

    let mut mixed = good.clone();
    mixed.key = authority.leaf(&["lab.test"]).key;
    let mut empty = good.clone();
    empty.certificate.clear();
    let mut locked = good.clone();
    let key = PKey::private_key_from_pem(good.key.as_bytes()).expect("a key");
    let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret").expect("PEM");
    locked.key = String::from_utf8(pem).expect("text");
    for (leaf, expected, file) in [
        (mixed, "does not belong to the certificate in", "server.key"),
        (empty, "the file has no PEM certificate", "server.pem"),
        (locked, "the file has no PEM key without a passphrase", "server.key"),
    ] {
        proxy.exchange("server", &leaf);
        let refused = proxy.reload().await.expect_err(expected);
        assert!(refused.starts_with("listener `tls`: ") && refused.contains(expected), "{refused}");
        assert!(refused.contains(&proxy.folder().join(file).display().to_string()), "{refused}");
        assert_eq!(refused.matches(expected).count(), 1, "{refused}");
        assert_eq!(shown_certificates(proxy.address_of("tls")).await, ["good"]);
        assert_eq!(proxy.get("http://moved.test/").await.code(), Some("no-tenant"));
    }
    proxy.exchange("server", &good);
    proxy.reload().await.expect("valid files");
    assert_ne!(proxy.get("http://moved.test/").await.code(), Some("no-tenant"));
}
