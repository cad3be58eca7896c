//! Which requests share a pooled connection to the upstream.

use std::collections::{HashMap, HashSet};

use http_body_util::Full;
use pointsman_tests::client::get;
use pointsman_tests::{Authority, Client, Proxy, Tenant, Upstream, example};
use serde_json::{Value, json};

/// The settings that all peers of a protocol have in common.
struct Protocol {
    tls: bool,
    alpn: &'static str,
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol { tls: false, alpn: "h1" },
    Protocol { tls: true, alpn: "h1" },
    Protocol { tls: false, alpn: "h2" },
    Protocol { tls: true, alpn: "h2" },
];

/// Attributes of any connection: the path in the record, and a value that differs from the default.
fn of_any() -> Vec<(&'static str, Value)> {
    let keepalive = |idle: u32, interval: u32, count: u32, user_timeout: u32| json!({"idle-s": idle, "interval-s": interval, "count": count, "user-timeout-ms": user_timeout});
    vec![
        ("/isolation", json!("a")),
        ("/isolation", json!("b")),
        ("/bind-to", json!({"address": "127.0.0.1"})),
        ("/bind-to", json!({"address": "127.0.0.9"})),
        ("/tcp-keepalive", keepalive(10, 10, 3, 0)),
        ("/tcp-keepalive", keepalive(11, 10, 3, 0)),
        ("/tcp-keepalive", keepalive(10, 11, 3, 0)),
        ("/tcp-keepalive", keepalive(10, 10, 4, 0)),
        ("/tcp-keepalive", keepalive(10, 10, 3, 1000)),
        ("/socket", json!({"dscp": 8})),
        ("/socket", json!({"dscp": 9})),
        ("/socket", json!({"tcp-recv-buf": 65536})),
        ("/socket", json!({"tcp-fast-open": true})),
        ("/http/upgrade", json!("deny")),
        ("/http/upgrade", json!("any")),
        ("/http/quirks", json!(["keep-hop-by-hop"])),
        ("/http/quirks", json!(["accept-malformed-connection"])),
    ]
}

fn of_h2() -> Vec<(&'static str, Value)> {
    vec![
        ("/http/max-h2-streams", json!(7)),
        ("/http/h2-ping-interval-ms", json!(5000)),
        ("/http/h2-stream-window", json!(70_000)),
        ("/http/h2-connection-window", json!(70_000)),
    ]
}

fn of_tls() -> Vec<(&'static str, Value)> {
    vec![
        ("/tls/sni", json!("other.test")),
        ("/tls/verify", json!("chain-only")),
        ("/tls/verify", json!("none")),
        ("/tls/alternative-cn", json!("other.test")),
        ("/tls/ca", json!("roots")),
        ("/tls/client-cert", json!("one")),
        ("/tls/client-cert", json!("two")),
        ("/tls/curves", json!("P-256")),
        ("/http/alpn", json!("h2h1")),
    ]
}

impl Protocol {
    fn attributes(&self) -> Vec<(&'static str, Value)> {
        let mut attributes = of_any();
        if self.alpn == "h2" {
            attributes.extend(of_h2());
        }
        if self.tls {
            attributes.extend(of_tls());
        }
        attributes
    }

    /// The plain peer first, then one for each attribute, which differs from the plain one only in that.
    fn peers(&self, upstream: &Upstream) -> Vec<Value> {
        let mut plain = json!({"address": upstream.address().to_string(), "http": {"alpn": self.alpn}});
        if self.tls {
            plain["tls"] = json!({"sni": "api.test"});
        }
        let mut peers = vec![plain.clone()];
        for (pointer, value) in self.attributes() {
            let mut peer = plain.clone();
            let (table, key) = pointer.rsplit_once('/').expect("a pointer");
            peer.pointer_mut(table).expect("the table")[key] = value;
            peers.push(peer);
        }
        peers
    }
}

async fn through(client: &mut Client, host: &str, peer: &Value) {
    let order = json!({"route": {"peer": peer}}).to_string();
    let request = get(&format!("http://{host}/")).header("pointsman-lab", order).body(Full::default());
    let reply = client.send(request.expect("a request")).await.expect("a response");
    assert_eq!((reply.status, reply.body.as_str()), (200, "live"), "{peer}: {:?}", reply.code());
}

/// Every peer has its own connection, and the same one each time.
#[tokio::test]
async fn peers_that_differ_in_one_attribute_never_share_and_equal_ones_do() {
    let servers = Authority::new("servers");
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    for protocol in PROTOCOLS {
        let upstream = Upstream::answering("live");
        let upstream = match protocol.tls {
            false => upstream.start().await,
            true => {
                let leaf = servers.leaf(&["api.test", "other.test"]);
                upstream.asking_tls(&leaf, &[&one, &two], &["h2", "http/1.1"]).start().await
            }
        };
        let grants = "[tenant.grants]\nbind_to = true\nverify = [\"chain-only\", \"none\"]\n\
                      credentials = [\"one\", \"two\", \"roots\"]";
        let tenant = |name| Tenant::new(name).module(example("lab"), "").table(grants);
        let proxy = Proxy::with(tenant("lab"))
            .and(tenant("other"))
            .trusting(&servers)
            .ca("roots", &servers)
            .client_cert("one", &one.client("pointsman", 7))
            .client_cert("two", &two.client("pointsman", 7))
            .start()
            .await;
        let mut client = proxy.client().await;
        let peers = protocol.peers(&upstream);
        let mut used: HashMap<(&str, String), HashSet<usize>> = HashMap::new();
        for _ in 0..2 {
            for host in ["lab.test", "other.test"] {
                for peer in &peers {
                    through(&mut client, host, peer).await;
                    let connection = upstream.requests().last().expect("a request").connection;
                    used.entry((host, peer.to_string())).or_default().insert(connection);
                }
            }
        }
        assert_eq!(used.len(), 2 * peers.len(), "two entries are the same");
        let shared: HashSet<usize> = used.values().flatten().copied().collect();
        assert!(
            used.values().all(|connections| connections.len() == 1),
            "a peer has not kept its connection: {used:?}"
        );
        assert_eq!(shared.len(), used.len(), "peers share a connection: {used:?}");
    }
}

#[tokio::test]
async fn timeouts_do_not_separate() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await;
    let mut client = proxy.client().await;
    let address = upstream.address().to_string();
    through(&mut client, "lab.test", &json!({"address": address})).await;
    let timeouts =
        json!({"read-ms": 1000, "connect-ms": 900, "total-connect-ms": 800, "write-ms": 700, "idle-ms": 600});
    through(&mut client, "lab.test", &json!({"address": address, "timeouts": timeouts})).await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn idle_timeout_of_zero_disables_reuse() {
    let upstream = Upstream::answering("live").start().await;
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await;
    let mut client = proxy.client().await;
    let peer = json!({"address": upstream.address().to_string(), "timeouts": {"idle-ms": 0}});
    for _ in 0..2 {
        through(&mut client, "lab.test", &peer).await;
    }
    assert_eq!(upstream.connections(), 2);
}

/// The reason for the matrix above: Pingora's own key lacks these attributes.
mod plain_pingora {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use pingora::connectors::TransportConnector;
    use pingora::connectors::l4::BindTo;
    use pingora::protocols::{ALPN, TcpKeepalive};
    use pingora::upstreams::peer::{HttpPeer, Peer as _};
    use pingora::utils::tls::CertKey;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the test shows the behaviour without our checks")]
    fn peer(address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, true, "api.test".to_owned());
        peer.options.verify_cert = false;
        peer.options.verify_hostname = false;
        peer
    }

    fn pair(authority: &Authority) -> Arc<CertKey> {
        let leaf = authority.client("pointsman", 7);
        let certificate = X509::from_pem(leaf.certificate.as_bytes()).expect("a certificate");
        Arc::new(CertKey::new(vec![certificate], PKey::private_key_from_pem(leaf.key.as_bytes()).expect("a key")))
    }

    #[tokio::test]
    async fn pool_of_pingora_shares_where_pointsman_does_not() {
        let servers = Authority::new("servers");
        let (one, two) = (Authority::new("one"), Authority::new("two"));
        let leaf = servers.leaf(&["api.test"]);
        let upstream = Upstream::answering("live").asking_tls(&leaf, &[&one, &two], &["h2", "http/1.1"]).start().await;
        let root = X509::from_pem(servers.pem().as_bytes()).expect("a certificate");
        let (one, two) = (pair(&one), pair(&two));
        let plain = || peer(upstream.address());
        let with = |change: &dyn Fn(&mut HttpPeer)| {
            let mut peer = plain();
            change(&mut peer);
            peer
        };
        let keepalive = TcpKeepalive {
            idle: Duration::from_secs(9),
            interval: Duration::from_secs(9),
            count: 9,
            user_timeout: Duration::ZERO,
        };
        for (what, first, second) in [
            ("ca", plain(), with(&|peer| peer.options.ca = Some(Arc::new(Box::new([root.clone()]))))),
            (
                "bind_to",
                plain(),
                with(&|peer| {
                    let mut bind = BindTo::default();
                    bind.addr = Some(SocketAddr::from(([127, 0, 0, 9], 0)));
                    peer.options.bind_to = Some(bind);
                }),
            ),
            ("alpn", plain(), with(&|peer| peer.options.alpn = ALPN::H2)),
            ("tcp_keepalive", plain(), with(&|peer| peer.options.tcp_keepalive = Some(keepalive.clone()))),
            ("dscp", plain(), with(&|peer| peer.options.dscp = Some(32))),
            (
                "client certificates with the same serial number",
                with(&|peer| peer.client_cert_key = Some(one.clone())),
                with(&|peer| peer.client_cert_key = Some(two.clone())),
            ),
        ] {
            let connector = TransportConnector::new(None);
            let stream = connector.new_stream(&first).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            connector.release_stream(stream, first.reuse_hash(), None);
            let (_, reused) = connector.get_stream(&second).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(reused, "{what}: Pingora has learned, and this test can go");
        }
    }
}
