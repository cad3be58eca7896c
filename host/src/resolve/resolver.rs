//! Resolves names to addresses: from the hosts file, the cache, or the name servers.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use pointsman_rules::check::{Egress, Forbidden};
use pointsman_rules::config::{Families, ResolverConfig};
use pointsman_rules::exhausted::Exhausted;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::quota::Rate;

use crate::resolve::answer::{Answer, FamilyAnswer};
use crate::resolve::hosts::Hosts;
use crate::resolve::name_servers::{Lookup, NameServers};
use crate::resolve::order::{Family, Unreachable, choose};

/// The hosts file that is consulted before any name server, unless the configuration names another.
const HOSTS: &str = "/etc/hosts";

/// How long an expired answer is used before the name servers are queried again (RFC 8767).
const STALE_TTL: Duration = Duration::from_secs(30);

/// How long to wait for the second address family once the first has answered: the "resolution delay" of RFC 8305,
/// section 3.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Why a resolver could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    #[error("resolver.hosts_file: cannot read `{path}`")]
    Hosts { path: PathBuf, source: std::io::Error },
    #[error("cannot set up the resolver: {0}")]
    Client(String),
}

/// Why a name could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("`{0}` has no address")]
    NoAddress(String),
    #[error("`{0}` has no address of the local address's family")]
    NoFamily(String),
    #[error("`{name}` leads to `{address}`, which {why}")]
    Forbidden { name: String, address: IpAddr, why: Forbidden },
    #[error("`{0}` was not looked up: the tenant exceeds its quota of lookups ({key})", key = LimitKey::LookupsPerS)]
    TooMany(String),
    #[error("no answer for `{name}` within {} ms (resolver.timeout_ms)", .timeout.as_millis())]
    Timeout { name: String, timeout: Duration },
    #[error("`{name}` was not looked up: {cause}")]
    Exhausted { name: String, cause: Exhausted },
    #[error("`{name}` cannot be resolved: {message}")]
    Failed { name: String, message: String },
}

/// A tenant's egress policy, its unreachable addresses, and its quota of look-ups.
pub struct LookupPolicy<'a> {
    pub egress: Egress<'a>,
    pub unreachable: &'a Unreachable,
    /// Rate of look-ups of names that are not in the cache (`quota.lookups_per_s`).
    pub lookups: &'a Rate,
}

/// Resolves names for all tenants.
pub struct Resolver {
    hosts: Hosts,
    servers: Arc<NameServers>,
    families: Families,
    answers: Answers,
    turn: AtomicUsize,
}

/// Answers by name.
#[derive(Clone)]
struct Answers {
    cache: Cache<String, Answer>,
    /// The last answers with addresses, kept beyond their TTL for use when the name servers fail.
    last: Cache<String, Answer>,
    /// How long they are kept beyond their TTL.
    stale: Duration,
}

/// Expires each answer after its own TTL.
struct Ttl;

impl Resolver {
    pub fn new(config: &ResolverConfig) -> Result<Resolver, ResolverError> {
        let cache = || Cache::builder().max_capacity(config.cache_entries).expire_after(Ttl).build();
        Ok(Resolver {
            hosts: hosts(config.hosts_file.as_deref())?,
            servers: Arc::new(NameServers::new(config)?),
            families: config.families,
            answers: Answers { cache: cache(), last: cache(), stale: config.stale },
            turn: AtomicUsize::new(0),
        })
    }

    /// Returns the addresses of a name in lower case, in the order in which to try them. Never empty.
    pub async fn addresses(
        &self,
        name: &str,
        port: u16,
        family: Option<Family>,
        may: &LookupPolicy<'_>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let looked_up;
        let known = match self.hosts.addresses(name) {
            Some(known) => known,
            None => {
                looked_up = self.look_up(name, family, may.lookups).await?;
                &looked_up
            }
        };
        let mut permitted = Vec::with_capacity(known.len());
        let mut refused = None;
        for &address in known {
            match may.egress.permit(SocketAddr::new(address, port)) {
                Ok(()) => permitted.push(address),
                Err(why) => refused = Some(ResolveError::Forbidden { name: name.to_owned(), address, why }),
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let chosen = choose(&permitted, port, family, turn, may.unreachable);
        match (chosen.is_empty(), refused) {
            (false, _) => Ok(chosen),
            (true, Some(refused)) => Err(refused),
            (true, None) => Err(ResolveError::NoFamily(name.to_owned())),
        }
    }

    /// Returns the addresses from the cache, or from one look-up for all requests that wait for the name. Waits for the
    /// wanted family if that is late.
    async fn look_up(&self, name: &str, wanted: Option<Family>, lookups: &Rate) -> Result<Arc<[IpAddr]>, ResolveError> {
        let answer = match self.answers.cache.get(name).await {
            Some(answer) => answer,
            None => {
                admit(name, lookups)?;
                let mut late = None;
                let asked = self.fresh_or_stale(name, &mut late);
                let answer = self.answers.cache.entry_by_ref(name).or_insert_with(asked).await.into_value();
                if let Some(lookup) = late {
                    let (answers, name, answer) = (self.answers.clone(), name.to_owned(), answer.clone());
                    tokio::spawn(async move { answers.complete(&name, &answer, lookup.await).await });
                }
                answer
            }
        };
        match (answer.missing, wanted) {
            (Some(missing), Some(wanted)) if missing == wanted => {
                admit(name, lookups)?;
                let late = self.servers.look_up(name, wanted).await;
                self.answers.complete(name, &answer, late).await
            }
            _ => answer.found,
        }
    }

    /// Queries the name servers, and returns their last answer if they fail. That a name has no address is an answer,
    /// not a failure.
    async fn fresh_or_stale(&self, name: &str, late: &mut Option<Lookup>) -> Answer {
        let answer = self.ask(name, late).await;
        match &answer.found {
            Ok(_) => {
                self.answers.keep_for_failures(name, &answer).await;
                answer
            }
            Err(ResolveError::Timeout { .. } | ResolveError::Failed { .. } | ResolveError::Exhausted { .. }) => {
                match self.answers.last.get(name).await {
                    Some(last) => Answer { ttl: STALE_TTL, missing: None, ..last },
                    None => answer,
                }
            }
            Err(
                ResolveError::NoAddress(_)
                | ResolveError::NoFamily(_)
                | ResolveError::Forbidden { .. }
                | ResolveError::TooMany(_),
            ) => answer,
        }
    }

    /// Looks up both families at the same time. Once one has addresses, waits only briefly for the other: a name server
    /// that never answers for one family must not delay the other.
    async fn ask(&self, name: &str, late: &mut Option<Lookup>) -> Answer {
        let look_up = |family| self.servers.look_up(name, family);
        let (mut v4, mut v6) = match self.families {
            Families::Ipv4 => return Answer::of(look_up(Family::V4).await),
            Families::Ipv6 => return Answer::of(look_up(Family::V6).await),
            Families::Both => (look_up(Family::V4), look_up(Family::V6)),
        };
        let (first, missing, mut second) = tokio::select! {
            first = &mut v4 => (first, Family::V6, v6),
            first = &mut v6 => (first, Family::V4, v4),
        };
        let least = self.servers.least_ttl();
        if !first.has_addresses() {
            return Answer::of_both(first, second.await, least);
        }
        match tokio::time::timeout(RESOLUTION_DELAY, &mut second).await {
            Ok(second) => Answer::of_both(first, second, least),
            Err(_) => {
                *late = Some(second);
                Answer::without(missing, first, least)
            }
        }
    }
}

impl Answers {
    /// Adds the late family to the answer that lacks it. Returns the addresses of both, or the late family's error.
    async fn complete(&self, name: &str, answer: &Answer, late: FamilyAnswer) -> Result<Arc<[IpAddr]>, ResolveError> {
        let whole = answer.with(late)?;
        self.keep_for_failures(name, &whole).await;
        self.cache.insert(name.to_owned(), whole.clone()).await;
        whole.found
    }

    async fn keep_for_failures(&self, name: &str, answer: &Answer) {
        let kept = Answer { ttl: answer.ttl.saturating_add(self.stale), ..answer.clone() };
        self.last.insert(name.to_owned(), kept).await;
    }
}

/// Counts a look-up against the tenant's quota.
fn admit(name: &str, lookups: &Rate) -> Result<(), ResolveError> {
    let now = Instant::now();
    if lookups.is_over(now) {
        return Err(ResolveError::TooMany(name.to_owned()));
    }
    lookups.spend(1, now);
    Ok(())
}

impl Expiry<String, Answer> for Ttl {
    fn expire_after_create(&self, _: &String, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(answer.ttl)
    }

    fn expire_after_update(&self, _: &String, answer: &Answer, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(answer.ttl)
    }
}

fn hosts(path: Option<&Path>) -> Result<Hosts, ResolverError> {
    match path {
        Some(path) => Hosts::load(path).map_err(|source| ResolverError::Hosts { path: path.to_owned(), source }),
        None => Ok(Hosts::load(Path::new(HOSTS)).unwrap_or_default()),
    }
}
