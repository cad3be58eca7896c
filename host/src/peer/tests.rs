//! Tests that every answer of a module ends in a peer or an error, never in a panic: random records through check and
//! peer.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pingora::connectors::TransportConnector;
use pingora::upstreams::peer::Peer as _;
use pointsman_rules::check::{Policy, Refusal, RouteSpec, Target, Verdict, check};
use pointsman_rules::checked::Route;
use pointsman_rules::config::{Grants, UpstreamDefaults};
use pointsman_rules::contract;
use pointsman_rules::quota::Count;
use pointsman_rules::strategies::{decision, with_policy};
use proptest::option::of;
use proptest::prelude::*;

use crate::credentials::Credentials;
use crate::peer::{KeyOrigin, PeerError, PeerInputs, PoolKeys, ReadyPeer, http_peer, is_known_group_list, prepared};
use crate::resolve::Hop;

/// The peer of a route. A name has one address of each family, and the one that fits the local address is used.
fn prepare(route: &RouteSpec, pool_key: u64) -> Result<ReadyPeer, PeerError> {
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
    let ends = PeerInputs {
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

/// The verdict on a decision under default limits.
fn check_under(
    decision: contract::Decision,
    grants: &Grants,
    local_ports: Option<(u16, u16)>,
) -> Result<Verdict, Refusal> {
    with_policy(grants, local_ports, |policy| check(decision, &Policy { tls_groups: is_known_group_list, ..*policy }))
}

fn follow(decision: contract::Decision) {
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
                Ok(ReadyPeer { peer, .. }) => assert_eq!(peer.group_key, key),
                Err(error) => assert!(error.to_string().starts_with("`peer.")),
            }
            // As `pointsman decide` prints it.
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
fn route(raw: contract::Route) -> Box<RouteSpec> {
    match check_under(contract::Decision::Connect(raw), &Grants::default(), None) {
        Ok(Verdict::Connect(route)) => route,
        other => panic!("{other:?}"),
    }
}

#[test]
fn peer_of_a_reused_route_is_the_same() {
    let connections = Count::default();
    let connector = Arc::new(TransportConnector::new(None));
    let again = |raw: contract::Route| {
        let route = Arc::new(Route::new(*route(raw)));
        route.note_cached();
        let address = SocketAddr::from(([192, 0, 2, 1], 443));
        let ends = PeerInputs {
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
    let mut tls = contract::Route::to("1.1.1.1:443");
    tls.peer.tls = Some(contract::Tls::verified(Some("api.test".to_owned())));
    tls.peer.timeouts.read_ms = Some(5);
    let (made, reused) = again(tls);
    let ReadyPeer { peer: reused, reached } = reused.expect("a peer");
    assert!(reached.is_some() && reused.options.tracer.is_some(), "each attempt has its own tracer");
    assert_eq!(reused.options.idle_timeout, Some(Duration::from_secs(3)));
    assert_eq!((reused.reuse_hash(), &reused._address, &reused.sni), (made.reuse_hash(), &made._address, &made.sni));
    assert_eq!((reused.group_key, reused.options.read_timeout), (7, made.options.read_timeout));
    // A name may have another address next time, and a connection that is not kept has a new key each time.
    assert!(again(contract::Route::to("api.test:80")).1.is_none());
    let mut not_kept = contract::Route::to("1.1.1.1:80");
    not_kept.peer.timeouts.idle_ms = Some(0);
    assert!(again(not_kept).1.is_none());
}

#[test]
fn pool_keys_are_interned_and_never_reused() {
    // Tables that are full, and cleared, several times.
    const MOST: u32 = 1000;
    let table = || PoolKeys::new(usize::try_from(MOST).expect("small"));
    let (ours, theirs) = (table(), table());
    let with = |isolation: u32| {
        let mut raw = contract::Route::to("1.1.1.7:80");
        raw.peer.isolation = Some(isolation.to_string());
        route(raw)
    };
    let first = with(0);
    assert_eq!(ours.key(&first.peer).key, ours.key(&with(0).peer).key);
    let mut given = std::collections::HashSet::from([0, ours.key(&first.peer).key]);
    // Thousands of specs in two tables that share one counter.
    for isolation in 1..6 * MOST {
        let (ours, theirs) = (ours.key(&with(isolation).peer), theirs.key(&with(isolation).peer));
        assert!(given.insert(ours.key), "{isolation}");
        assert!(given.insert(theirs.key), "{isolation}");
        let expected = if isolation.is_multiple_of(MOST) { KeyOrigin::TableCleared } else { KeyOrigin::New };
        // The first spec is in our table alone.
        assert_eq!(ours.origin, expected, "{isolation}");
    }
    assert!(given.insert(ours.key(&with(0).peer).key), "its key went with the table");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_decision_ends_in_a_peer_or_in_an_error(decision in decision()) {
        follow(decision);
    }

    #[test]
    fn plain_peers_are_carried_whole(last in any::<u8>(), port in 20_000_u16.., dscp in of(0_u8..64), read in 1_u32..86_400_000) {
        let mut raw = contract::Route::to(&format!("1.1.1.{last}:{port}"));
        raw.peer.socket.dscp = dscp;
        raw.peer.timeouts.read_ms = Some(read);
        let route = route(raw);
        let ReadyPeer { peer, .. } = prepare(&route, 7).expect("a peer");
        prop_assert_eq!(peer._address.to_string(), format!("1.1.1.{last}:{port}"));
        prop_assert_eq!(peer.options.dscp, dscp.map(|code_point| code_point * 4));
        prop_assert_eq!(peer.options.read_timeout.map(|timeout| timeout.as_millis()), Some(u128::from(read)));
        prop_assert_eq!(peer.options.idle_timeout, Some(UpstreamDefaults::default().idle_timeout));
    }
}
