//! Which tenant a request belongs to: listener, server name and authority, in one proxy with many tenants.

use pointsman_tests::{Authority, Client, Proxy, Tenant, Upstream, example};

/// A tenant whose upstream answers with the tenant's name.
async fn answering(name: &'static str) -> (Tenant, Upstream) {
    let upstream = Upstream::answering(name).start().await;
    let tenant = Tenant::new(name).module(example("fixed"), &format!("address = \"{}\"", upstream.address()));
    (tenant, upstream)
}

#[tokio::test]
async fn tenant_is_chosen_by_listener_and_server_name() {
    let (anybody, _a) = answering("anybody").await;
    let (secure, _b) = answering("secure").await;
    let (inside, _c) = answering("inside").await;
    let leaf = Authority::new("downstream").leaf(&["shop.test"]);
    let proxy = Proxy::with(anybody.hostnames(&["*"]))
        .and(secure.hostnames(&["shop.test"]).keys("listeners = [\"tls\"]"))
        .and(inside.hostnames(&["*"]).keys("listeners = [\"tls\"]\nsni = [\"*.inside.test\"]"))
        .tls(&leaf)
        .start()
        .await;
    assert_eq!(proxy.get("http://shop.test/").await.body, "anybody");
    for (sni, authority, expected) in [
        ("shop.test", "shop.test", "secure"),
        ("shop.test", "cart.test", "anybody"),
        ("a.inside.test", "shop.test", "inside"),
        ("inside.test", "shop.test", "secure"),
    ] {
        for alpn in ["h2", "http/1.1"] {
            let mut client = Client::tls(proxy.address_of("tls"), sni, &[alpn]).await;
            let reply = client.get(&format!("https://{authority}/")).await;
            assert_eq!(reply.body, expected, "{sni} {authority} {alpn}");
        }
    }
}
