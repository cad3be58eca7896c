//! Whatever a module says ends in a peer or in an error, never in a panic: random records through check and peer.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pingora::connectors::TransportConnector;
use pingora::upstreams::peer::Peer as _;
use proptest::option::of;
use proptest::prelude::*;

use crate::check::{CredentialNames, OwnAddresses, Policy, Refusal, RouteSpec, Target, Verdict, check};
use crate::config::{Grants, Limits, UpstreamDefaults};
use crate::credentials::Credentials;
use crate::peer::{Ends, PeerError, PoolKeys, Prepared, Route, http_peer, prepared};
use crate::quota::Count;
use crate::raw::{self, Alpn, Quirks, Upgrade, Verify};
use crate::resolve::Hop;

/// Text that is often nearly right, and sometimes anything.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z0-9.-]{0,20}(:[0-9]{0,6})?",
        "(\\[[0-9a-f:.%]{0,20}\\]|([0-9]{1,3}\\.){1,4})(:[0-9]{0,6})?",
        "unix:/?[a-z/\u{0}]{0,120}",
        "\\PC{0,40}",
        any::<String>(),
        Just("1.1.1.7:443".to_owned()),
        Just("a".repeat(300)),
        Just("\r\n\u{0}".to_owned()),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<u32> {
    prop_oneof![Just(0), Just(1), Just(65_535), Just(u32::MAX), any::<u32>(), 1_u32..100_000].boxed()
}

fn header() -> BoxedStrategy<raw::Header> {
    (prop_oneof!["[a-z-]{1,12}", text()], prop_oneof!["[ -~]{0,20}".prop_map(String::into_bytes), any::<Vec<u8>>()])
        .prop_map(|(name, value)| raw::Header { name, value })
        .boxed()
}

fn headers() -> BoxedStrategy<Vec<raw::Header>> {
    prop::collection::vec(header(), 0..4).boxed()
}

fn tls() -> BoxedStrategy<raw::Tls> {
    let verify = prop_oneof![Just(Verify::Full), Just(Verify::ChainOnly), Just(Verify::None)];
    (of(text()), verify, of(text()), of(text()), of(text()))
        .prop_map(|(sni, verify, alternative_cn, ca, curves)| raw::Tls {
            sni,
            verify,
            alternative_cn,
            ca,
            client_cert: None,
            curves,
            second_key_share: None,
        })
        .boxed()
}

fn http() -> BoxedStrategy<raw::HttpOptions> {
    let alpn = prop_oneof![Just(Alpn::H1), Just(Alpn::H2), Just(Alpn::H2h1)];
    let upgrade = prop_oneof![Just(Upgrade::Websocket), Just(Upgrade::Any), Just(Upgrade::Deny)];
    (alpn, of(number()), of(number()), of(number()), upgrade)
        .prop_map(|(alpn, streams, ping, window, upgrade)| raw::HttpOptions {
            alpn,
            max_h2_streams: streams,
            h2_ping_interval_ms: ping,
            h2_stream_window: window,
            h2_connection_window: window,
            upgrade,
            quirks: Quirks::KEEP_HOP_BY_HOP,
        })
        .boxed()
}

fn peer() -> BoxedStrategy<raw::Peer> {
    let bind = (of(text()), of(any::<(u16, u16)>()), any::<bool>())
        .prop_map(|(address, port_range, fallback)| raw::BindTo { address, port_range, fallback });
    let proxy = (text(), headers()).prop_map(|(address, headers)| raw::ConnectProxy { address, headers });
    let keepalive =
        (number(), number(), number(), number()).prop_map(|(idle_s, interval_s, count, user_timeout_ms)| {
            raw::TcpKeepalive { idle_s, interval_s, count, user_timeout_ms }
        });
    let socket = (of(any::<u8>()), of(number()), any::<bool>())
        .prop_map(|(dscp, tcp_recv_buf, tcp_fast_open)| raw::SocketOptions { dscp, tcp_recv_buf, tcp_fast_open });
    let timeouts = (of(number()), of(number()), of(number())).prop_map(|(connect_ms, read_ms, idle_ms)| {
        raw::Timeouts { connect_ms, total_connect_ms: connect_ms, read_ms, write_ms: read_ms, idle_ms }
    });
    (
        text(),
        of(tls()),
        of(proxy.boxed()),
        of(bind.boxed()),
        timeouts.boxed(),
        of(keepalive.boxed()),
        http(),
        socket.boxed(),
        of(text()),
    )
        .prop_map(|(address, tls, connect_proxy, bind_to, timeouts, tcp_keepalive, http, socket, isolation)| {
            raw::Peer { address, tls, connect_proxy, bind_to, timeouts, tcp_keepalive, http, socket, isolation }
        })
        .boxed()
}

/// Anything that a module can say.
pub fn decision() -> BoxedStrategy<raw::Decision> {
    let rewrite = (of(text()), of(text()), prop::collection::vec(text(), 0..3), headers()).prop_map(
        |(authority, path_and_query, remove_headers, set_headers)| raw::Rewrite {
            authority,
            path_and_query,
            remove_headers,
            add_headers: set_headers.clone(),
            set_headers,
        },
    );
    let retry = (of(number()), prop::collection::vec(any::<u16>(), 0..3))
        .prop_map(|(attempts, on_status)| raw::RetryPolicy { attempts, on_status });
    let route = (peer(), rewrite.boxed(), retry.boxed(), of(text()))
        .prop_map(|(peer, rewrite, retry, note)| raw::Decision::Connect(raw::Route { peer, rewrite, retry, note }));
    let response = (any::<u16>(), headers(), any::<Vec<u8>>())
        .prop_map(|(status, headers, body)| raw::Decision::Respond(raw::Response { status, headers, body }));
    prop_oneof![8 => route.boxed(), 1 => response.boxed(), 1 => Just(raw::Decision::Pass)].boxed()
}

/// The peer of a route; a name has one address of each family, and the one that fits is taken.
fn prepare(route: &RouteSpec, pool_key: u64) -> Result<Prepared, PeerError> {
    static CONNECTOR: LazyLock<Arc<TransportConnector>> = LazyLock::new(|| Arc::new(TransportConnector::new(None)));
    let connection = &route.peer.connection;
    let hop = match connection.next_hop() {
        Target::Socket(address) => Hop::Socket(*address),
        Target::Unix(path) => Hop::Unix(path.clone()),
        Target::Name { port, .. } => match connection.bind_to.as_ref().and_then(|bind| bind.address) {
            Some(SocketAddr::V6(_)) => Hop::Socket(SocketAddr::from(([1; 8], *port))),
            Some(SocketAddr::V4(_)) | None => Hop::Socket(SocketAddr::from(([192, 0, 2, 1], *port))),
        },
    };
    let credentials = Credentials::default();
    let ends = Ends {
        hop: &hop,
        pool_key,
        idle_timeout: route.peer.timeouts.idle,
        connections: &Count::default(),
        credentials: &credentials,
        connector: &CONNECTOR,
        own: &Arc::default(),
    };
    http_peer(&Arc::new(Route::new(route.clone())), ends)
}

fn everywhere() -> Vec<IpNet> {
    vec![Ipv4Net::default().into(), Ipv6Net::default().into()]
}

/// A policy of default limits, without credentials.
pub fn with_policy<T>(grants: &Grants, local_ports: Option<(u16, u16)>, then: impl FnOnce(&Policy<'_>) -> T) -> T {
    then(&Policy {
        limits: &Limits::default(),
        upstream: &UpstreamDefaults::default(),
        grants,
        credentials: &CredentialNames::default(),
        own: &OwnAddresses::default(),
        local_ports,
    })
}

/// What becomes of a decision under default limits.
fn check_under(decision: raw::Decision, grants: &Grants, local_ports: Option<(u16, u16)>) -> Result<Verdict, Refusal> {
    with_policy(grants, local_ports, |policy| check(decision, policy))
}

fn follow(decision: raw::Decision) {
    let unix_sockets = vec!["/".to_owned()];
    let grants = Grants {
        verify_chain_only: true,
        verify_none: true,
        bind_to: true,
        unix_sockets,
        networks: everywhere(),
        ports: vec![25],
        credentials: Vec::new(),
    };
    match check_under(decision, &grants, Some((1, u16::MAX))) {
        Ok(Verdict::Connect(route)) => {
            let key = PoolKeys::new(10).key(&route.peer).key;
            match prepare(&route, key) {
                Ok(Prepared { peer, .. }) => assert_eq!(peer.group_key, key),
                Err(error) => assert!(error.to_string().starts_with("`peer.")),
            }
            // What `pointsman decide` does with it.
            assert!(serde_json::to_string(&route).is_ok());
        }
        Ok(Verdict::Respond(_) | Verdict::Pass) => {}
        Err(refusal) => {
            let message = refusal.to_string();
            assert!(message.starts_with('`') && !message.chars().any(char::is_control), "{message:?}");
        }
    }
}

/// The route that a module's record becomes under default limits.
fn route(raw: raw::Route) -> Box<RouteSpec> {
    match check_under(raw::Decision::Connect(raw), &Grants::default(), None) {
        Ok(Verdict::Connect(route)) => route,
        other => panic!("{other:?}"),
    }
}

#[test]
fn peer_of_a_route_that_is_taken_again_is_the_same() {
    let connections = Count::default();
    let connector = Arc::new(TransportConnector::new(None));
    let again = |raw: raw::Route| {
        let route = Arc::new(Route::new(*route(raw)));
        let _remembered = route.clone();
        let address = SocketAddr::from(([192, 0, 2, 1], 443));
        let ends = Ends {
            hop: &Hop::Socket(address),
            pool_key: 7,
            idle_timeout: Duration::from_secs(9),
            connections: &connections,
            credentials: &Credentials::default(),
            connector: &connector,
            own: &Arc::default(),
        };
        let made = http_peer(&route, ends).expect("a peer").peer;
        (made, prepared(&route, Duration::from_secs(3), &connections))
    };
    let mut tls = raw::Route::to("1.1.1.1:443");
    tls.peer.tls = Some(raw::Tls::verified(Some("api.test".to_owned())));
    tls.peer.timeouts.read_ms = Some(5);
    let (made, taken) = again(tls);
    let Prepared { peer: taken, reached } = taken.expect("a peer");
    assert!(reached.is_some() && taken.options.tracer.is_some(), "each attempt is watched by itself");
    assert_eq!(taken.options.idle_timeout, Some(Duration::from_secs(3)));
    assert_eq!((taken.reuse_hash(), &taken._address, &taken.sni), (made.reuse_hash(), &made._address, &made.sni));
    assert_eq!((taken.group_key, taken.options.read_timeout), (7, made.options.read_timeout));
    // A name may have another address next time, and what is not kept has a key of its own each time.
    assert!(again(raw::Route::to("api.test:80")).1.is_none());
    let mut not_kept = raw::Route::to("1.1.1.1:80");
    not_kept.peer.timeouts.idle_ms = Some(0);
    assert!(again(not_kept).1.is_none());
}

#[test]
fn pool_keys_are_interned_and_never_given_twice() {
    let (ours, theirs) = (PoolKeys::new(100_000), PoolKeys::new(100_000));
    let with = |isolation: u32| {
        let mut raw = raw::Route::to("1.1.1.7:80");
        raw.peer.isolation = Some(isolation.to_string());
        route(raw)
    };
    let first = with(0);
    assert_eq!(ours.key(&first.peer).key, ours.key(&with(0).peer).key);
    let mut given = std::collections::HashSet::from([0, ours.key(&first.peer).key]);
    // More than a table holds, in two tables.
    for isolation in 1..6000 {
        assert!(given.insert(ours.key(&with(isolation).peer).key), "{isolation}");
        assert!(given.insert(theirs.key(&with(isolation).peer).key), "{isolation}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_decision_ends_in_a_peer_or_in_an_error(decision in decision()) {
        follow(decision);
    }

    #[test]
    fn plain_peers_are_carried_whole(last in any::<u8>(), port in 20_000_u16.., dscp in of(0_u8..64), read in 1_u32..86_400_000) {
        let mut raw = raw::Route::to(&format!("1.1.1.{last}:{port}"));
        raw.peer.socket.dscp = dscp;
        raw.peer.timeouts.read_ms = Some(read);
        let route = route(raw);
        let Prepared { peer, .. } = prepare(&route, 7).expect("a peer");
        prop_assert_eq!(peer._address.to_string(), format!("1.1.1.{last}:{port}"));
        prop_assert_eq!(peer.options.dscp, dscp.map(|code_point| code_point * 4));
        prop_assert_eq!(peer.options.read_timeout.map(|timeout| timeout.as_millis()), Some(u128::from(read)));
        prop_assert_eq!(peer.options.idle_timeout, Some(UpstreamDefaults::default().idle_timeout));
    }
}
