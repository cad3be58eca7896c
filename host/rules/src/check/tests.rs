//! Tests of the rules of the WIT contract, one line per case.

mod bounds;
mod headers;
mod peer;

use std::collections::HashMap;
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use super::*;
use crate::config::{Grants, Limits, UpstreamDefaults};
use crate::contract::{self, Alpn, Quirks, Upgrade, Verify};
use crate::strategies::is_known_group_list;

const ONE: Fingerprint = Fingerprint([1; 32]);

const NOTHING: Grants = Grants {
    networks: Vec::new(),
    ports: Vec::new(),
    verify_chain_only: false,
    verify_none: false,
    bind_to: false,
    unix_sockets: Vec::new(),
    credentials: Vec::new(),
};

fn everything() -> Grants {
    Grants {
        networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        ports: Vec::new(),
        verify_chain_only: true,
        verify_none: true,
        bind_to: true,
        unix_sockets: vec!["/".to_owned()],
        credentials: Vec::new(),
    }
}

fn verdict(decision: contract::Decision, grants: &Grants) -> Result<Verdict, Refusal> {
    verdict_under(&UpstreamDefaults::default(), decision, grants)
}

fn verdict_under(
    upstream: &UpstreamDefaults,
    decision: contract::Decision,
    grants: &Grants,
) -> Result<Verdict, Refusal> {
    let limits = Limits::default();
    let (roots, pairs) = (HashMap::from([("roots".to_owned(), ONE)]), HashMap::from([("pair".to_owned(), ONE)]));
    let credentials = CredentialNames { ca: roots, client: pairs };
    check(
        decision,
        &Policy {
            limits: &limits,
            upstream,
            grants,
            credentials: &credentials,
            own: &OwnAddresses::default(),
            local_ports: Some((1024, 60_000)),
            tls_groups: is_known_group_list,
        },
    )
}

fn route() -> contract::Route {
    contract::Route::to("1.1.1.7:80")
}

fn tls() -> contract::Tls {
    contract::Tls::verified(Some("api.example".to_owned()))
}

fn header(name: &str, value: &str) -> contract::Header {
    contract::Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

#[track_caller]
fn passes(change: impl FnOnce(&mut contract::Route)) -> RouteSpec {
    let mut raw = route();
    change(&mut raw);
    match verdict(contract::Decision::Connect(raw), &everything()) {
        Ok(Verdict::Connect(route)) => *route,
        other => panic!("{other:?}"),
    }
}

/// Expects a refusal whose message starts with `expected`: the field, and the problem.
#[track_caller]
fn refused(change: impl FnOnce(&mut contract::Route), expected: &str) {
    refused_with(&everything(), change, expected);
}

#[track_caller]
fn refused_with(grants: &Grants, change: impl FnOnce(&mut contract::Route), expected: &str) {
    let mut raw = route();
    change(&mut raw);
    let message = verdict(contract::Decision::Connect(raw), grants).map_err(|refusal| refusal.to_string());
    assert!(message.as_ref().is_err_and(|message| message.starts_with(expected)), "{message:?}");
}

#[test]
fn plain_peer_takes_the_tenants_defaults() {
    let spec = passes(|_| {});
    assert_eq!(spec.peer.connection.target.to_string(), "1.1.1.7:80");
    assert_eq!(spec.peer.timeouts.connect, UpstreamDefaults::default().connect_timeout);
    assert_eq!(spec.peer.timeouts.idle, UpstreamDefaults::default().idle_timeout);
    assert_eq!((spec.peer.connection.http.max_h2_streams, spec.retry.attempts), (100, 3));
}

#[test]
fn timeouts_are_milliseconds_within_a_day() {
    let spec = passes(|route| route.peer.timeouts.read_ms = Some(86_400_000));
    assert_eq!(spec.peer.timeouts.read, Duration::from_secs(86_400));
    assert!(passes(|route| route.peer.timeouts.idle_ms = Some(0)).peer.timeouts.idle.is_zero());
    refused(
        |route| route.peer.timeouts.connect_ms = Some(0),
        "`peer.timeouts.connect-ms`: 0 is not from 1 to 86400000 ms",
    );
    refused(|route| route.peer.timeouts.total_connect_ms = Some(0), "`peer.timeouts.total-connect-ms`");
    refused(|route| route.peer.timeouts.read_ms = Some(86_400_001), "`peer.timeouts.read-ms`");
    refused(|route| route.peer.timeouts.write_ms = Some(u32::MAX), "`peer.timeouts.write-ms`");
    refused(|route| route.peer.timeouts.idle_ms = Some(u32::MAX), "`peer.timeouts.idle-ms`");
}

#[test]
fn tls_takes_its_server_name_from_a_name() {
    let spec = passes(|route| {
        route.peer.address = "API.example:443".to_owned();
        route.peer.tls = Some(contract::Tls { sni: None, ..tls() });
    });
    let name = spec.peer.connection.tls.as_ref().and_then(|tls| tls.server_name.clone());
    assert_eq!(name.as_deref(), Some("api.example"));
}

#[test]
fn tls_without_a_server_name_needs_verify_none() {
    let none =
        |verify| move |route: &mut contract::Route| route.peer.tls = Some(contract::Tls { sni: None, verify, ..tls() });
    refused(none(Verify::Full), "`peer.tls.sni`: it is needed to check the certificate");
    refused(none(Verify::ChainOnly), "`peer.tls.sni`: it is needed to check the certificate");
    passes(none(Verify::None));
}

#[test]
fn weaker_verification_must_be_granted() {
    let with = |verify| move |route: &mut contract::Route| route.peer.tls = Some(contract::Tls { verify, ..tls() });
    refused_with(&NOTHING, with(Verify::ChainOnly), "`peer.tls.verify`: the operator has not granted this");
    refused_with(&NOTHING, with(Verify::None), "`peer.tls.verify`: the operator has not granted this");
    let chain = Grants { verify_chain_only: true, ..NOTHING };
    refused_with(&chain, with(Verify::None), "`peer.tls.verify`: the operator has not granted this");
    passes(with(Verify::ChainOnly));
}

#[test]
fn server_names_are_names() {
    for name in ["", "a..b", "a b", "a\0b", "api.example\r\n", "bücher.example", "*.example", "1.1.1.7", "::1", "127.1"]
    {
        refused(
            |route| route.peer.tls = Some(contract::Tls { sni: Some(name.to_owned()), ..tls() }),
            "`peer.tls.sni`: `",
        );
        let alternative_cn = Some(name.to_owned());
        refused(
            |route| route.peer.tls = Some(contract::Tls { alternative_cn, ..tls() }),
            "`peer.tls.alternative-cn`: `",
        );
    }
}

#[test]
fn alternative_name_needs_full_verification() {
    let alternative_cn = Some("b.example".to_owned());
    refused(
        |route| route.peer.tls = Some(contract::Tls { alternative_cn, verify: Verify::ChainOnly, ..tls() }),
        "`peer.tls.alternative-cn`: it has no effect unless `verify` is `full`",
    );
}

#[test]
fn credentials_must_be_granted_and_of_the_right_kind() {
    let ca = |name: &str| {
        let ca = Some(name.to_owned());
        move |route: &mut contract::Route| route.peer.tls = Some(contract::Tls { ca, ..tls() })
    };
    let client = |name: &str| {
        let client_cert = Some(name.to_owned());
        move |route: &mut contract::Route| route.peer.tls = Some(contract::Tls { client_cert, ..tls() })
    };
    passes(ca("roots"));
    passes(client("pair"));
    for name in ["ours", "pair", "", "roots\0", "../roots"] {
        refused(ca(name), "`peer.tls.ca`: no credential `");
    }
    refused(client("roots"), "`peer.tls.client-cert`: no credential `roots` of this kind is granted");
    refused(
        |route| route.peer.tls = Some(contract::Tls { ca: Some("roots".to_owned()), verify: Verify::None, ..tls() }),
        "`peer.tls.ca`: it has no effect with `verify: none`",
    );
}

#[test]
fn options_that_openssl_cannot_honour_are_refused() {
    refused(
        |route| route.peer.tls = Some(contract::Tls { second_key_share: Some(true), ..tls() }),
        "`peer.tls.second-key-share`: only BoringSSL",
    );
}

#[test]
fn curves_are_a_list_of_names() {
    let with = |curves: &str| {
        let curves = Some(curves.to_owned());
        move |route: &mut contract::Route| route.peer.tls = Some(contract::Tls { curves, ..tls() })
    };
    passes(with("X25519:P-256"));
    refused(with(""), "`peer.tls.curves`");
    refused(with("X25519:"), "`peer.tls.curves`");
    refused(with("X25519 P-256"), "`peer.tls.curves`");
    refused(
        with("X25519:P-257"),
        "`peer.tls.curves`: `X25519:P-257` has a duplicate, or a group that this host's OpenSSL does not",
    );
    refused(with(&"a".repeat(256)), "`peer.tls.curves`: it has 256 bytes; 255 are allowed");
}

#[test]
fn local_address_must_be_granted_and_fit() {
    let bind = |address: Option<&str>, port_range, fallback| {
        let address = address.map(str::to_owned);
        move |route: &mut contract::Route| route.peer.bind_to = Some(contract::BindTo { address, port_range, fallback })
    };
    let spec = passes(bind(Some("127.0.0.2"), Some((4000, 5000)), true));
    assert_eq!(spec.peer.connection.bind_to.as_ref().and_then(|bind| bind.port_range), Some((4000, 5000)));
    passes(bind(None, Some((4000, 5000)), false));
    passes(bind(Some("127.0.0.2:4000"), None, false));
    refused_with(&NOTHING, bind(Some("127.0.0.2"), None, false), "`peer.bind-to`: the operator has not granted this");
    refused(bind(Some("::1"), None, false), "`peer.bind-to.address`: its address family differs");
    refused(bind(Some("eth0"), None, false), "`peer.bind-to.address`: `eth0` is not `ip` or `ip:port`");
    refused(bind(None, None, false), "`peer.bind-to`: it names neither");
    refused(bind(None, Some((0, 10)), false), "`peer.bind-to.port-range`: the first port");
    refused(bind(None, Some((10, 10)), false), "`peer.bind-to.port-range`: the first port");
    for (first, last) in [(1023, 5000), (4000, 60_001), (60_001, 60_002)] {
        let expected =
            format!("`peer.bind-to.port-range`: `{first}-{last}` is not within this system's local ports, 1024-");
        refused(bind(None, Some((first, last)), false), &expected);
    }
    refused(
        bind(Some("127.0.0.2:4000"), Some((4000, 5000)), false),
        "`peer.bind-to.port-range`: the address has a port",
    );
    refused(bind(Some("127.0.0.2"), None, true), "`peer.bind-to.fallback`: it has no effect");
}

#[test]
fn unix_sockets_must_be_granted() {
    let to = |address: &str| {
        let address = address.to_owned();
        move |route: &mut contract::Route| route.peer.address = address
    };
    passes(to("unix:/run/app.sock"));
    let some = Grants { unix_sockets: vec!["/run/app.sock".to_owned(), "/run/apps/".to_owned()], ..NOTHING };
    for granted in ["unix:/run/app.sock", "unix:/run/apps/a", "unix:/run/apps/a/b"] {
        let mut raw = route();
        to(granted)(&mut raw);
        assert!(verdict(contract::Decision::Connect(raw), &some).is_ok(), "{granted}");
    }
    for other in ["unix:/run/app.sock2", "unix:/run/app", "unix:/run/apps", "unix:/run/apps/", "unix:/"] {
        refused_with(&some, to(other), "`peer.address`: the operator has not granted this");
    }
    for spelling in ["unix:/run/apps/../other.sock", "unix:/run/./app.sock"] {
        refused_with(&some, to(spelling), "`peer.address`: `");
    }
    let proxy = |route: &mut contract::Route| {
        route.peer.connect_proxy =
            Some(contract::ConnectProxy { address: "unix:/run/other".to_owned(), headers: Vec::new() });
    };
    refused_with(&some, proxy, "`peer.connect-proxy.address`: the operator has not granted this");
}

#[test]
fn keepalive_fits_the_kernel() {
    let keepalive = contract::TcpKeepalive { idle_s: 60, interval_s: 5, count: 3, user_timeout_ms: 0 };
    let with = |keepalive| move |route: &mut contract::Route| route.peer.tcp_keepalive = Some(keepalive);
    passes(with(keepalive));
    refused(with(contract::TcpKeepalive { idle_s: 0, ..keepalive }), "`peer.tcp-keepalive.idle-s`");
    refused(with(contract::TcpKeepalive { interval_s: 32_768, ..keepalive }), "`peer.tcp-keepalive.interval-s`");
    refused(with(contract::TcpKeepalive { count: 128, ..keepalive }), "`peer.tcp-keepalive.count`");
    refused(
        with(contract::TcpKeepalive { user_timeout_ms: u32::MAX, ..keepalive }),
        "`peer.tcp-keepalive.user-timeout-ms`",
    );
}

#[test]
fn http2_options_need_http2() {
    refused(|route| route.peer.http.max_h2_streams = Some(1), "`peer.http.max-h2-streams`: it has no effect with");
    refused(
        |route| route.peer.http.h2_ping_interval_ms = Some(1000),
        "`peer.http.h2-ping-interval-ms`: it has no effect with",
    );
    refused(
        |route| route.peer.http.h2_stream_window = Some(65_535),
        "`peer.http.h2-stream-window`: it has no effect with",
    );
    refused(
        |route| route.peer.http.h2_connection_window = Some(65_535),
        "`peer.http.h2-connection-window`: it has no effect with",
    );
    refused(|route| route.peer.http.alpn = Alpn::H2h1, "`peer.http.alpn`: `h2h1` is negotiated by TLS");
    passes(|route| {
        route.peer.tls = Some(tls());
        route.peer.http.alpn = Alpn::H2h1;
        route.peer.http.h2_ping_interval_ms = Some(1000);
        route.peer.http.h2_stream_window = Some(65_535);
    });
}

#[test]
fn http2_options_are_in_range() {
    let h2 = |change: fn(&mut contract::HttpOptions)| {
        move |route: &mut contract::Route| {
            route.peer.http.alpn = Alpn::H2;
            change(&mut route.peer.http);
        }
    };
    refused(h2(|http| http.max_h2_streams = Some(0)), "`peer.http.max-h2-streams`: 0 is not from 1 to 65535 streams");
    refused(h2(|http| http.h2_ping_interval_ms = Some(999)), "`peer.http.h2-ping-interval-ms`");
    refused(h2(|http| http.h2_stream_window = Some(65_534)), "`peer.http.h2-stream-window`");
    refused(h2(|http| http.h2_connection_window = Some(u32::MAX)), "`peer.http.h2-connection-window`");
}

#[test]
fn socket_options_are_in_range() {
    passes(|route| route.peer.socket.dscp = Some(63));
    refused(|route| route.peer.socket.dscp = Some(64), "`peer.socket.dscp`: 64 is not from 0 to 63");
    refused(|route| route.peer.socket.tcp_recv_buf = Some(1023), "`peer.socket.tcp-recv-buf`");
    refused(|route| route.peer.socket.tcp_recv_buf = Some(u32::MAX), "`peer.socket.tcp-recv-buf`");
}

#[test]
fn connect_proxy_has_an_address_and_headers() {
    let with = |address: &str, headers: Vec<contract::Header>| {
        let address = address.to_owned();
        move |route: &mut contract::Route| route.peer.connect_proxy = Some(contract::ConnectProxy { address, headers })
    };
    passes(with("unix:/run/proxy.sock", vec![header("proxy-authorization", "Basic eDp5")]));
    refused(with("", Vec::new()), "`peer.connect-proxy.address`");
    refused(with("proxy.example:3128", vec![header("host", "x")]), "`peer.connect-proxy.headers[0].name`");
    let twice = vec![header("x-a", "1"), header("X-A", "2")];
    refused(with("proxy.example:3128", twice), "`peer.connect-proxy.headers[1].name`: `x-a` appears twice");
}

#[test]
fn isolation_and_note_are_short() {
    refused(
        |route| route.peer.isolation = Some("x".repeat(257)),
        "`peer.isolation`: it has 257 bytes; 256 are allowed",
    );
    refused(|route| route.note = Some("x".repeat(257)), "`note`: it has 257 bytes; 256 are allowed");
    refused(|route| route.note = Some("a\nb".to_owned()), "`note`: `a\\nb` has control characters");
}

#[test]
fn modules_cannot_set_framing_or_hop_by_hop_headers() {
    let names = "connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length host";
    for name in names.split(' ') {
        let upper = name.to_uppercase();
        refused(|route| route.rewrite.remove_headers = vec![upper], "`rewrite.remove-headers[0]`");
        refused(|route| route.rewrite.set_headers = vec![header(name, "x")], "`rewrite.set-headers[0].name`");
        refused(|route| route.rewrite.add_headers = vec![header(name, "x")], "`rewrite.add-headers[0].name`");
    }
}

#[test]
fn headers_are_well_formed() {
    for name in ["", "a b", "a:b", "a\r\nb", "é", "a\0"] {
        refused(|route| route.rewrite.set_headers = vec![header(name, "x")], "`rewrite.set-headers[0].name`: `");
    }
    for value in ["a\r\nb", "a\0b", "a\nb", "\u{7f}", "a\u{1b}[2J"] {
        refused(
            |route| route.rewrite.add_headers = vec![header("x-a", value)],
            "`rewrite.add-headers[0].value`: the byte at offset ",
        );
    }
    for value in [" a", "a ", "\ta", "a\r\n", " "] {
        refused(
            |route| route.rewrite.add_headers = vec![header("x-a", value)],
            "`rewrite.add-headers[0].value`: it starts or ends with white space",
        );
    }
    refused(
        |route| route.rewrite.add_headers = vec![header("x", "y"); 129],
        "`rewrite.add-headers`: it has 129 entries",
    );
    let long = "x".repeat(8193);
    refused(
        |route| route.rewrite.add_headers = vec![header("x", &long)],
        "`rewrite.add-headers[0].value`: it has 8193",
    );
    let twice = vec![header("x-a", "1"), header("x-a", "2")];
    refused(|route| route.rewrite.set_headers = twice.clone(), "`rewrite.set-headers[1].name`: `x-a` appears twice");
    passes(|route| route.rewrite.add_headers = twice);
    passes(|route| {
        route.rewrite.set_headers = vec![contract::Header { name: "x".to_owned(), value: vec![0xe9, b'\t', b'x'] }];
    });
}

#[test]
fn path_is_in_origin_form() {
    let with = |path: &str| {
        let path = path.to_owned();
        move |route: &mut contract::Route| route.rewrite.path_and_query = Some(path)
    };
    for path in ["/", "/a%20b?x=%", "//double", "/a?b?c", "/a;b=c,d"] {
        passes(with(path));
    }
    for path in ["", "a", "?x", "http://a/", "/a b", "/a#b", "/a\r\nb", "/é", "/a\0", "*"] {
        refused(with(path), "`rewrite.path-and-query`: `");
    }
    refused(with(&format!("/{}", "a".repeat(65_534))), "`rewrite.path-and-query`: it has 65535 bytes");
}

#[test]
fn authority_is_a_host() {
    passes(|route| route.rewrite.authority = Some("inner.example:81".to_owned()));
    for authority in ["user@inner.example", "", "a:0", "a:65536", "a/b", "127.1", "a\r\nb", "bücher.example", "::1"] {
        refused(|route| route.rewrite.authority = Some(authority.to_owned()), "`rewrite.authority`: `");
    }
}

#[test]
fn retries_narrow_and_never_widen() {
    assert_eq!(passes(|route| route.retry.attempts = Some(1)).retry.attempts, 1);
    refused(|route| route.retry.attempts = Some(4), "`retry.attempts`: 4 is not from 1 to 3");
    refused(|route| route.retry.attempts = Some(0), "`retry.attempts`: 0 is not from 1 to 3");
    refused(|route| route.retry.on_status = vec![502, 404], "`retry.on-status[1]`: 404 is not from 500 to 599");
    refused(|route| route.retry.on_status = vec![500; 101], "`retry.on-status`: it has 101 entries; 100 are allowed");
}

#[track_caller]
fn response(status: u16, headers: Vec<contract::Header>, body: &[u8], expected: Result<(), &str>) {
    let raw = contract::Response { status, headers, body: body.to_vec() };
    let message = verdict(contract::Decision::Respond(raw), &NOTHING).map(drop).map_err(|refusal| refusal.to_string());
    match (message, expected) {
        (Ok(()), Ok(())) => {}
        (Err(message), Err(expected)) => assert!(message.starts_with(expected), "{message}"),
        (message, expected) => panic!("{message:?} instead of {expected:?}"),
    }
}

#[test]
fn responses_are_final_and_fit() {
    response(200, vec![header("set-cookie", "a=1"), header("set-cookie", "b=2")], b"hello", Ok(()));
    response(599, Vec::new(), b"", Ok(()));
    response(101, Vec::new(), b"", Err("`respond.status`: 101 is not from 200 to 599"));
    response(600, Vec::new(), b"", Err("`respond.status`"));
    response(204, Vec::new(), b"x", Err("`respond.body`: a response with status 204, 205 or 304 has no body"));
    response(200, Vec::new(), &[0; 65_537], Err("`respond.body`: it has 65537 bytes; 65536 are allowed"));
    response(200, vec![header("content-length", "5")], b"hello", Err("`respond.headers[0].name`: `content-length`"));
    response(200, vec![header("host", "x")], b"", Ok(()));
}

#[test]
fn pass_is_pass() {
    assert_eq!(verdict(contract::Decision::Pass, &NOTHING), Ok(Verdict::Pass));
}

/// Connections differ if and only if an attribute other than a timeout differs.
#[test]
fn every_attribute_except_timeouts_separates_connections() {
    let base = passes(|_| {}).peer.connection.clone();
    assert_eq!(passes(|route| route.peer.timeouts.read_ms = Some(5)).peer.connection, base);
    let changes: [fn(&mut contract::Peer); 8] = [
        |peer| peer.address = "1.1.1.7:81".to_owned(),
        |peer| peer.tls = Some(tls()),
        |peer| peer.isolation = Some("a".to_owned()),
        |peer| peer.socket.dscp = Some(1),
        |peer| peer.socket.tcp_fast_open = true,
        |peer| peer.http.upgrade = Upgrade::Deny,
        |peer| peer.http.quirks = Quirks::KEEP_HOP_BY_HOP,
        |peer| {
            peer.bind_to =
                Some(contract::BindTo { address: Some("127.0.0.2".to_owned()), port_range: None, fallback: false });
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_ne!(passes(|route| change(&mut route.peer)).peer.connection, base, "change {index}");
    }
}
