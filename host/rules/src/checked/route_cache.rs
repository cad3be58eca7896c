//! Caches checked routes by the records that modules returned. A module returns the same few records again and again,
//! even where its decisions can't be cached, and the result of a check depends only on the record and on the tenant's
//! policy.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use quick_cache::Weighter;

use crate::bounded::{Bounded, PEER_BYTES, Weight, bounded};
use crate::check::{Policy, Refusal, check};
use crate::checked::{CheckedDecision, Route};
use crate::config::Quota;
use crate::contract::RawAnswer;

/// The cached routes of one tenant, checked under one policy.
#[derive(Debug)]
pub struct RouteCache {
    bytes: u64,
    /// Allocated with the first route: most tenants of a large proxy are idle.
    table: OnceLock<Table>,
}

struct Table {
    /// Routes by the records that they were checked from.
    routes: Bounded<Box<[u8]>, Arc<Route>, RandomState>,
    hasher: RandomState,
    /// Hashes of recent records that are not in the table, each in one of a few slots. So a record that comes only once
    /// does not cost an insertion.
    once: [AtomicU64; PLACES],
}

/// Most routes that are cached.
const MOST: usize = 4096;

const PLACES: usize = 64;

/// The routes' share of `quota.cache_bytes`, as a divisor.
const PART: u64 = 8;

impl RouteCache {
    pub fn new(quota: &Quota) -> RouteCache {
        RouteCache { bytes: RouteCache::share(quota), table: OnceLock::new() }
    }

    /// The routes' share of the memory of a tenant's caches, in bytes.
    pub fn share(quota: &Quota) -> u64 {
        u64::try_from(quota.cache_bytes).unwrap_or(u64::MAX) / PART
    }

    /// Looks up the route for this record.
    pub fn find(&self, record: &[u8]) -> Option<Arc<Route>> {
        self.table.get()?.routes.get(record)
    }

    /// Checks a module's answer, unless it is a known route. The policy must be the same in every call.
    pub fn check(&self, said: RawAnswer<Arc<Route>>, policy: &Policy<'_>) -> Result<CheckedDecision, Refusal> {
        let (decision, record) = match said {
            RawAnswer::Known(route) => return Ok(CheckedDecision::Connect(route)),
            RawAnswer::Decision { decision, record } => (decision, record),
        };
        let answer = CheckedDecision::from(check(*decision, policy)?);
        if let (Some(record), CheckedDecision::Connect(route)) = (record, &answer)
            && self.bytes > 0
        {
            self.table.get_or_init(|| Table::new(self.bytes)).note(record, route);
        }
        Ok(answer)
    }

    /// Bytes that are counted for the cached routes.
    pub fn size(&self) -> u64 {
        self.table.get().map_or(0, |table| table.routes.weight())
    }
}

impl Table {
    fn new(bytes: u64) -> Table {
        let hasher = RandomState::default();
        Table { routes: bounded(MOST, bytes, hasher.clone()), hasher, once: [const { AtomicU64::new(0) }; PLACES] }
    }

    /// Caches a route whose record came before, recently. A different record with the same hash does no harm: the new
    /// record is cached a little early, and only an equal record finds it.
    fn note(&self, record: Box<[u8]>, route: &Arc<Route>) {
        let hash = self.hasher.hash_one(&record);
        let place = usize::try_from(hash).unwrap_or_default() % PLACES;
        if self.once.get(place).is_some_and(|before| before.swap(hash, Ordering::Relaxed) == hash) {
            route.note_cached();
            self.routes.insert(record, route.clone());
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} routes)", self.routes.len())
    }
}

impl Weighter<Box<[u8]>, Arc<Route>> for Weight {
    fn weight(&self, record: &Box<[u8]>, route: &Arc<Route>) -> u64 {
        self.of(record.len().saturating_add(route.bytes()).saturating_add(PEER_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Grants;
    use crate::contract;
    use crate::strategies::{decision, with_policy};

    /// Looks up and checks a decision as the host does, with a record that identifies it as well as the real one does.
    fn look_up_and_check(
        routes: &RouteCache,
        decision: contract::Decision,
        policy: &Policy<'_>,
    ) -> Result<CheckedDecision, Refusal> {
        let record = format!("{decision:?}").into_bytes();
        let answer = routes.find(&record).map_or(
            RawAnswer::Decision { decision: Box::new(decision), record: Some(record.into()) },
            RawAnswer::Known,
        );
        routes.check(answer, policy)
    }

    fn route(routes: &RouteCache, record: contract::Route) -> Arc<Route> {
        match with_policy(&Grants::default(), None, |policy| {
            look_up_and_check(routes, contract::Decision::Connect(record), policy)
        }) {
            Ok(CheckedDecision::Connect(route)) => route,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Each decision comes three times: the second time it is cached, the third time it is found.
        #[test]
        fn cached_route_equals_a_freshly_checked_one(decisions in prop::collection::vec(decision(), 1..4)) {
            let routes = RouteCache::new(&Quota::default());
            let grants = Grants { bind_to: true, verify_none: true, ..Grants::default() };
            for decision in decisions.iter().cycle().take(3 * decisions.len()) {
                let (found, fresh) = with_policy(&grants, None, |policy| {
                    let expected = check(decision.clone(), policy).map(CheckedDecision::from);
                    (look_up_and_check(&routes, decision.clone(), policy), expected)
                });
                prop_assert_eq!(found.map_err(|refusal| refusal.to_string()), fresh.map_err(|refusal| refusal.to_string()));
            }
        }
    }

    #[test]
    fn repeated_route_is_stored_once() {
        let routes = RouteCache::new(&Quota::default());
        let to = |address: &str, note: &str| {
            route(&routes, contract::Route { note: Some(note.to_owned()), ..contract::Route::to(address) })
        };
        let (once, twice) = (to("1.1.1.7:80", "a"), to("1.1.1.7:80", "a"));
        assert!(!Arc::ptr_eq(&once, &twice));
        for other in 0..1000 {
            to("1.1.1.7:80", &other.to_string());
        }
        assert!(Arc::ptr_eq(&twice, &to("1.1.1.7:80", "a")));
        assert_eq!(to("1.1.1.7:80", "b").note.as_deref(), Some("b"));
        assert_eq!(to("1.1.1.8:80", "a").peer.connection.target.to_string(), "1.1.1.8:80");
    }

    #[test]
    fn routes_are_bounded() {
        let quota = Quota { cache_bytes: 1 << 19, ..Quota::default() };
        let routes = RouteCache::new(&quota);
        for number in 0..2000_u32 {
            let port = 20_000 + number;
            for _ in 0..3 {
                route(&routes, contract::Route::to(&format!("1.1.1.7:{port}")));
            }
        }
        assert!(routes.size() > 0 && routes.size() <= RouteCache::share(&quota), "{} bytes", routes.size());
        let none = RouteCache::new(&Quota { cache_bytes: 0, ..Quota::default() });
        let again = || route(&none, contract::Route::to("1.1.1.7:80"));
        assert!(!Arc::ptr_eq(&again(), &again()) && !Arc::ptr_eq(&again(), &again()));
    }
}
