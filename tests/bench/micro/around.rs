//! What stands around a decision: the tenant's look-up before it, check and peer after it.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use ipnet::{Ipv4Net, Ipv6Net};
use pingora::connectors::TransportConnector;
use pointsman::answered::Routes;
use pointsman::check::{self, CredentialNames, OwnAddresses, Policy, RouteSpec, Verdict};
use pointsman::config::{Grants, HostPattern, Limits, Matching, Quota, UpstreamDefaults};
use pointsman::credentials::Credentials;
use pointsman::peer::{Ends, Route, http_peer, prepared};
use pointsman::quota::Count;
use pointsman::raw;
use pointsman::resolve::Hop;
use pointsman::tenant::TenantTable;

use crate::modules::{self, Asked};

/// What the module of this folder says.
fn said() -> Option<raw::Decision> {
    Some(Asked::new(&modules::loader(), &modules::usual()?, |module| module).decide())
}

pub fn grants() -> Grants {
    Grants {
        networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        ports: vec![8443],
        ..Grants::default()
    }
}

fn with_policy<T>(grants: &Grants, then: impl FnOnce(&Policy<'_>) -> T) -> T {
    then(&Policy {
        limits: &Limits::default(),
        upstream: &UpstreamDefaults::default(),
        grants,
        credentials: &CredentialNames::default(),
        own: &OwnAddresses::default(),
        local_ports: None,
    })
}

pub fn checked(decision: raw::Decision, grants: &Grants) -> Box<RouteSpec> {
    match with_policy(grants, |policy| check::check(decision, policy)).expect("it may be followed") {
        Verdict::Connect(route) => route,
        other => panic!("{other:?}"),
    }
}

pub fn check(criterion: &mut Criterion) {
    let Some(decision) = said() else { return };
    let grants = grants();
    criterion.bench_function("check", |bencher| {
        bencher.iter_batched(|| decision.clone(), |decision| checked(decision, &grants), BatchSize::SmallInput);
    });
    // As most are: the module said the same before.
    let routes = Routes::new(&Quota::default());
    with_policy(&grants, |policy| {
        criterion.bench_function("check/again", |bencher| {
            let again = |said| routes.check(said, policy);
            bencher.iter_batched(|| decision.clone(), again, BatchSize::SmallInput);
        });
    });
}

pub fn peer(criterion: &mut Criterion) {
    let Some(route) = said().map(|decision| Arc::new(Route::new(*checked(decision, &grants())))) else { return };
    let credentials = Credentials::default();
    let connector = Arc::new(TransportConnector::new(None));
    let hop = Hop::Socket(SocketAddr::from(([192, 0, 2, 1], 8443)));
    let connections = Count::default();
    let ends = Ends {
        hop: &hop,
        pool_key: 1,
        idle_timeout: Duration::from_secs(60),
        connections: &connections,
        credentials: &credentials,
        connector: &connector,
    };
    criterion.bench_function("peer/made", |bencher| bencher.iter(|| http_peer(black_box(&route), ends)));
    // As the decision cache holds it: more than one request has the route.
    let remembered = route.clone();
    let _ = http_peer(&remembered, ends);
    let idle = Duration::from_secs(60);
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
