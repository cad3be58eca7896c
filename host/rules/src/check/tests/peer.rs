//! Tests a peer's target and next hop, and the attributes that tell connections apart.

use std::collections::HashSet;

use super::*;
use crate::config::TcpKeepalive;

const SOCKET: &str = "unix:/run/app.sock";

fn to(address: &str) -> String {
    address.to_owned()
}

fn proxy(address: &str, headers: Vec<contract::Header>) -> Option<contract::ConnectProxy> {
    Some(contract::ConnectProxy { address: to(address), headers })
}

fn local(address: &str) -> Option<contract::BindTo> {
    Some(contract::BindTo { address: Some(to(address)), port_range: None, fallback: false })
}

/// A route of a tenant whose upstream defaults differ from the program's.
fn under(upstream: &UpstreamDefaults, change: impl FnOnce(&mut contract::Route)) -> RouteSpec {
    let mut raw = route();
    change(&mut raw);
    match verdict_under(upstream, contract::Decision::Connect(raw), &everything()) {
        Ok(Verdict::Connect(route)) => *route,
        other => panic!("{other:?}"),
    }
}

const PROBES: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(5),
    count: 3,
    user_timeout: Duration::ZERO,
};

#[test]
fn unset_peer_fields_take_the_tenants_defaults() {
    let seconds = Duration::from_secs;
    let upstream = UpstreamDefaults {
        connect_timeout: seconds(1),
        total_connect_timeout: seconds(2),
        read_timeout: seconds(3),
        write_timeout: seconds(4),
        overall_timeout: seconds(9),
        idle_timeout: seconds(5),
        tcp_keepalive: Some(PROBES),
        max_h2_streams: 7,
    };
    let spec = under(&upstream, |_| {});
    let TimeoutSpec { connect, total_connect, read, write, idle } = spec.peer.timeouts;
    assert_eq!([connect, total_connect, read, write, idle], [1, 2, 3, 4, 5].map(seconds));
    assert_eq!((spec.peer.connection.tcp_keepalive, spec.peer.connection.http.max_h2_streams), (Some(PROBES), 7));

    let spec = under(&upstream, |route| {
        let ms = |value| Some(value);
        route.peer.timeouts = contract::Timeouts {
            connect_ms: ms(11),
            total_connect_ms: ms(12),
            read_ms: ms(13),
            write_ms: ms(14),
            idle_ms: ms(15),
        };
        route.peer.tcp_keepalive =
            Some(contract::TcpKeepalive { idle_s: 1, interval_s: 2, count: 4, user_timeout_ms: 1500 });
        route.peer.http.alpn = Alpn::H2;
        route.peer.http.max_h2_streams = Some(8);
    });
    let TimeoutSpec { connect, total_connect, read, write, idle } = spec.peer.timeouts;
    assert_eq!([connect, total_connect, read, write, idle], [11, 12, 13, 14, 15].map(Duration::from_millis));
    let own =
        TcpKeepalive { idle: seconds(1), interval: seconds(2), count: 4, user_timeout: Duration::from_millis(1500) };
    assert_eq!((spec.peer.connection.tcp_keepalive, spec.peer.connection.http.max_h2_streams), (Some(own), 8));
}

#[test]
fn address_is_distinguished_from_a_name_that_looks_like_one() {
    refused(|route| route.peer.address = to("127.1:80"), "`peer.address`: `127.1:80` is not an address: IPv4 must be");
    refused(|route| route.peer.address = to(""), "`peer.address`: `` has no port");
    for address in ["[2606:4700::1]:443", "origin.example:80", SOCKET] {
        assert_eq!(passes(|route| route.peer.address = to(address)).peer.connection.target.to_string(), address);
    }
}

#[test]
fn headers_of_a_connect_request_cannot_override_the_hosts() {
    let with = |name: &str| {
        let headers = vec![header(name, "x")];
        |route: &mut contract::Route| route.peer.connect_proxy = proxy("proxy.example:3128", headers)
    };
    let names = "connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length";
    for name in names.split(' ') {
        let why = format!("`peer.connect-proxy.headers[0].name`: `{name}` is a framing or hop-by-hop header");
        refused(with(&name.to_uppercase()), &why);
    }
    refused(with("Host"), "`peer.connect-proxy.headers[0].name`: `host` is always `peer.address`");
    let spec = passes(with("Proxy-Authorization"));
    let headers = spec.peer.connection.connect_proxy.as_ref().map(|proxy| proxy.headers.clone());
    assert_eq!(headers, Some([("proxy-authorization".to_owned(), b"x".to_vec())].into()));
}

#[test]
fn tunnel_to_a_unix_socket_is_refused() {
    refused(
        |route| {
            route.peer.address = to(SOCKET);
            route.peer.connect_proxy = proxy("1.1.1.1:3128", Vec::new());
        },
        "`peer.connect-proxy`: a proxy opens no tunnel to a Unix socket",
    );
}

#[test]
fn local_address_is_of_the_family_that_the_host_connects_to() {
    let through = |peer, hop: Option<&str>, bind| {
        let connect_proxy = hop.and_then(|hop| proxy(hop, Vec::new()));
        move |route: &mut contract::Route| {
            route.peer.address = to(peer);
            route.peer.connect_proxy = connect_proxy;
            route.peer.bind_to = local(bind);
        }
    };
    passes(through("1.1.1.7:80", Some("[2606:4700::1]:3128"), "2001:db8::2"));
    refused(
        through("1.1.1.7:80", Some("[2606:4700::1]:3128"), "192.0.2.1"),
        "`peer.bind-to.address`: its address family differs from that of the address to connect to",
    );
    passes(through("1.1.1.7:80", None, "::ffff:192.0.2.1"));
    // The addresses of a name are not known yet.
    passes(through("origin.example:80", None, "2001:db8::2"));
    passes(through("1.1.1.7:80", Some("proxy.example:3128"), "2001:db8::2"));
    refused(through(SOCKET, None, "192.0.2.1"), "`peer.bind-to`: it has no effect for a Unix socket");
    refused(through("1.1.1.7:80", Some(SOCKET), "192.0.2.1"), "`peer.bind-to`: it has no effect for a Unix socket");
}

#[test]
fn tcp_options_mean_nothing_for_a_unix_socket() {
    let keepalive = contract::TcpKeepalive { idle_s: 60, interval_s: 5, count: 3, user_timeout_ms: 0 };
    for (address, hop) in [(SOCKET, None), ("1.1.1.7:80", Some(SOCKET))] {
        let on = |change: fn(&mut contract::SocketOptions)| {
            move |route: &mut contract::Route| {
                route.peer.address = to(address);
                route.peer.connect_proxy = hop.and_then(|hop| proxy(hop, Vec::new()));
                change(&mut route.peer.socket);
            }
        };
        passes(on(|_| {}));
        refused(on(|socket| socket.dscp = Some(0)), "`peer.socket.dscp`: it has no effect for a Unix socket");
        refused(on(|socket| socket.tcp_recv_buf = Some(4096)), "`peer.socket.tcp-recv-buf`: it has no effect for");
        refused(on(|socket| socket.tcp_fast_open = true), "`peer.socket.tcp-fast-open`: it has no effect for");
        let change = |route: &mut contract::Route| {
            on(|_| {})(route);
            route.peer.tcp_keepalive = Some(keepalive);
        };
        refused(change, "`peer.tcp-keepalive`: it has no effect for a Unix socket");
    }
    let upstream = UpstreamDefaults { tcp_keepalive: Some(PROBES), ..UpstreamDefaults::default() };
    assert_eq!(under(&upstream, |route| route.peer.address = to(SOCKET)).peer.connection.tcp_keepalive, None);
}

/// Text that only looks like a name or an address is no server name, whether or not it would be checked.
#[test]
fn server_name_is_a_name_at_each_level_of_verification() {
    for verify in [Verify::Full, Verify::ChainOnly, Verify::None] {
        for name in ["1.1.1.7", "2001:db8::1", "127.1", "0x7f.1", "[::1]", "api.example:443", "fe80::1%eth0", "a\0"] {
            let sni = Some(to(name));
            refused(|route| route.peer.tls = Some(contract::Tls { sni, verify, ..tls() }), "`peer.tls.sni`: `");
        }
    }
    let unix = |route: &mut contract::Route| {
        route.peer.address = to(SOCKET);
        route.peer.tls = Some(contract::Tls { sni: None, ..tls() });
    };
    refused(unix, "`peer.tls.sni`: it is needed to check the certificate");
}

#[test]
fn error_for_a_server_name_that_is_an_address_says_so() {
    for address in ["1.1.1.7", "2001:db8::1"] {
        let why = format!("`peer.tls.sni`: `{address}` is an address; this host can compare");
        refused(|route| route.peer.tls = Some(contract::Tls { sni: Some(to(address)), ..tls() }), &why);
    }
}

#[test]
fn second_key_share_is_refused_whatever_its_value() {
    for second_key_share in [Some(true), Some(false)] {
        refused(
            |route| route.peer.tls = Some(contract::Tls { second_key_share, ..tls() }),
            "`peer.tls.second-key-share`: only BoringSSL",
        );
    }
}

#[test]
fn names_are_in_lower_case_and_without_a_trailing_dot() {
    let spec = passes(|route| {
        let (sni, alternative_cn) = (Some(to("A_b.Example.")), Some(to("B.Example")));
        route.peer.tls = Some(contract::Tls { sni, alternative_cn, ..tls() });
    });
    let names = spec.peer.connection.tls.as_ref().map(|tls| (tls.server_name.clone(), tls.alternative_name.clone()));
    assert_eq!(names, Some((Some(to("a_b.example")), Some(to("b.example")))));
}

#[test]
fn refusal_shows_what_a_module_wrote_escaped_and_cut() {
    let ca = Some(format!("\n{}", "x".repeat(1000)));
    let why = format!("`peer.tls.ca`: no credential `\\n{}`", "x".repeat(78));
    refused(|route| route.peer.tls = Some(contract::Tls { ca, ..tls() }), &why);
}

/// Connections differ if and only if an attribute other than a timeout differs.
#[test]
fn every_attribute_of_a_peer_except_timeouts_separates_connections() {
    fn start(route: &mut contract::Route) {
        route.peer.tls = Some(tls());
        route.peer.http.alpn = Alpn::H2;
        route.peer.bind_to = local("127.0.0.2");
        route.peer.connect_proxy = proxy("1.1.1.1:3128", Vec::new());
    }
    fn change_tls(peer: &mut contract::Peer, change: impl FnOnce(contract::Tls) -> contract::Tls) {
        peer.tls = peer.tls.take().map(change);
    }
    let of = |change: fn(&mut contract::Peer)| {
        let spec = passes(|route| {
            start(route);
            change(&mut route.peer);
        });
        spec.peer.connection.clone()
    };
    let changes: [fn(&mut contract::Peer); 30] = [
        |_| {},
        |peer| peer.address = to("1.1.1.7:81"),
        |peer| peer.address = to("origin.example:80"),
        |peer| peer.tls = None,
        |peer| change_tls(peer, |tls| contract::Tls { sni: Some(to("b.example")), ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { verify: Verify::ChainOnly, ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { verify: Verify::None, ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { alternative_cn: Some(to("b.example")), ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { ca: Some(to("roots")), ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { client_cert: Some(to("pair")), ..tls }),
        |peer| change_tls(peer, |tls| contract::Tls { curves: Some(to("P-256")), ..tls }),
        |peer| peer.connect_proxy = None,
        |peer| peer.connect_proxy = proxy("1.1.1.1:3129", Vec::new()),
        |peer| peer.connect_proxy = proxy("1.1.1.1:3128", vec![header("x-a", "1")]),
        |peer| peer.connect_proxy = proxy("1.1.1.1:3128", vec![header("x-a", "2")]),
        |peer| peer.bind_to = None,
        |peer| peer.bind_to = local("127.0.0.2:4000"),
        |peer| peer.bind_to = Some(contract::BindTo { address: None, port_range: Some((4000, 4001)), fallback: false }),
        |peer| peer.bind_to = Some(contract::BindTo { address: None, port_range: Some((4000, 4001)), fallback: true }),
        |peer| {
            peer.tcp_keepalive =
                Some(contract::TcpKeepalive { idle_s: 1, interval_s: 1, count: 1, user_timeout_ms: 0 });
        },
        |peer| peer.http.alpn = Alpn::H2h1,
        |peer| peer.http.max_h2_streams = Some(1),
        |peer| peer.http.h2_ping_interval_ms = Some(1000),
        |peer| peer.http.h2_stream_window = Some(65_535),
        |peer| peer.http.h2_connection_window = Some(65_535),
        |peer| peer.http.upgrade = Upgrade::Deny,
        |peer| peer.http.quirks = Quirks::KEEP_HOP_BY_HOP,
        |peer| peer.socket = contract::SocketOptions { dscp: Some(1), tcp_recv_buf: None, tcp_fast_open: false },
        |peer| peer.socket = contract::SocketOptions { dscp: None, tcp_recv_buf: Some(4096), tcp_fast_open: false },
        |peer| peer.isolation = Some(to("a")),
    ];
    let all: HashSet<ConnectionSpec> = changes.into_iter().map(of).collect();
    assert_eq!(all.len(), changes.len());

    let timeouts: [fn(&mut contract::Peer); 5] = [
        |peer| peer.timeouts.connect_ms = Some(5),
        |peer| peer.timeouts.total_connect_ms = Some(5),
        |peer| peer.timeouts.read_ms = Some(5),
        |peer| peer.timeouts.write_ms = Some(5),
        |peer| peer.timeouts.idle_ms = Some(5),
    ];
    assert!(timeouts.into_iter().all(|change| of(change) == of(|_| {})));
    // The same address, written in two ways.
    assert_eq!(of(|peer| peer.address = to("[::ffff:1.1.1.7]:80")), of(|_| {}));
}

#[test]
fn route_is_displayed_with_the_field_names_of_the_wit() {
    let spec = passes(|route| {
        route.peer.connect_proxy = Some(contract::ConnectProxy {
            address: "1.1.1.1:3128".to_owned(),
            headers: vec![header("proxy-authorization", "Basic c2VjcmV0")],
        });
        route.peer.tcp_keepalive =
            Some(contract::TcpKeepalive { idle_s: 60, interval_s: 5, count: 3, user_timeout_ms: 1500 });
        route.rewrite.set_headers = vec![header("x-a", "1")];
        route.retry.on_status = vec![503];
    });
    let expected = serde_json::json!({
        "peer": {
            "connection": {
                "address": "1.1.1.7:80",
                "connect-proxy": { "address": "1.1.1.1:3128", "headers": ["proxy-authorization"] },
                "tcp-keepalive": { "idle-s": 60, "interval-s": 5, "count": 3, "user-timeout-ms": 1500 },
                "http": { "alpn": "h1", "max-h2-streams": 100, "upgrade": "websocket" },
                "socket": { "tcp-fast-open": false },
            },
            "timeouts": {
                "connect-ms": 3000, "total-connect-ms": 10_000, "read-ms": 60_000, "write-ms": 60_000, "idle-ms": 60_000,
            },
        },
        "rewrite": { "set-headers": ["x-a: 1"] },
        "retry": { "attempts": 3, "on-status": [503] },
    });
    assert_eq!(serde_json::to_value(&spec).expect("JSON"), expected);
}
