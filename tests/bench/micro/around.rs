//! The steps around a decision: the tenant lookup before it, check and peer after it.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use ipnet::{Ipv4Net, Ipv6Net};
use pingora::connectors::TransportConnector;
use pointsman::credentials::Credentials;
use pointsman::peer::{PeerInputs, http_peer, prepared};
use pointsman::resolve::Hop;
use pointsman_rules::check::{self, CredentialNames, OwnAddresses, Policy, RouteSpec, Verdict};
use pointsman_rules::checked::Route;
use pointsman_rules::config::{Grants, HostPattern, Limits, Matching, UpstreamDefaults};
use pointsman_rules::contract;
use pointsman_rules::quota::Count;
use pointsman_rules::tenant_lookup::TenantTable;

use crate::modules::{self, Setup};

/// The answer of the module in this folder.
fn decision() -> Option<contract::Decision> {
    Some(Setup::new(&modules::loader(), &modules::usual()?, |module| module).call_module().0)
}

static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);
static UPSTREAM: LazyLock<UpstreamDefaults> = LazyLock::new(UpstreamDefaults::default);
static CREDENTIALS: LazyLock<CredentialNames> = LazyLock::new(CredentialNames::default);
static OWN: LazyLock<OwnAddresses> = LazyLock::new(OwnAddresses::default);
static GRANTS: LazyLock<Grants> = LazyLock::new(|| Grants {
    networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
    ports: vec![8080, 8443],
    ..Grants::default()
});

pub fn policy() -> Policy<'static> {
    Policy {
        limits: &LIMITS,
        upstream: &UPSTREAM,
        grants: &GRANTS,
        credentials: &CREDENTIALS,
        own: &OWN,
        local_ports: None,
        tls_groups: pointsman::peer::is_known_group_list,
    }
}

pub fn checked(decision: contract::Decision) -> Box<RouteSpec> {
    match check::check(decision, &policy()).expect("a valid decision") {
        Verdict::Connect(route) => route,
        other => panic!("{other:?}"),
    }
}

pub fn check(criterion: &mut Criterion) {
    let Some(decision) = decision() else { return };
    criterion.bench_function("check", |bencher| {
        bencher.iter_batched(|| decision.clone(), checked, BatchSize::SmallInput);
    });
}

pub fn peer(criterion: &mut Criterion) {
    let Some(route) = decision().map(|decision| Arc::new(Route::new(*checked(decision)))) else { return };
    let credentials = Credentials::default();
    let connector = Arc::new(TransportConnector::new(None));
    let hop = Hop::Socket(SocketAddr::from(([192, 0, 2, 1], 8443)));
    let connections = Count::default();
    let ends = PeerInputs {
        hop: &hop,
        pool_key: 1,
        idle_timeout: Duration::from_secs(60),
        connections: &connections,
        credentials: &credentials,
        connector: &connector,
        own: &Arc::default(),
    };
    criterion.bench_function("peer/made", |bencher| bencher.iter(|| http_peer(black_box(&route), ends)));
    // As in the decision cache: other requests use the route as well.
    route.note_cached();
    let _ = http_peer(&route, ends);
    let idle = Duration::from_secs(60);
    assert!(prepared(&route, idle, &connections).is_some(), "a cached route keeps its peer");
    criterion.bench_function("peer/prepared", |bencher| {
        bencher.iter(|| prepared(black_box(&route), idle, &connections));
    });
}

pub fn tenants(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tenant look-up among");
    for count in [1_usize, 1_000, 10_000] {
        let claims: Vec<Matching> = (0..count)
            .map(|number| Matching {
                hostnames: vec![HostPattern::Exact(format!("shop-{number}.example"))],
                sni: Vec::new(),
                listeners: Vec::new(),
            })
            .collect();
        let table = TenantTable::new(claims.iter().zip(0_usize..));
        let name = format!("shop-{}.example", count / 2);
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| *table.owner("web", None, black_box(&name)).expect("an owner"));
        });
    }
}
