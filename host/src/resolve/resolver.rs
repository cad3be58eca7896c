//! Names to addresses: hosts file, cache, name servers.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig as Servers, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver as Client, TokioResolver};
use moka::Expiry;
use moka::future::Cache;

use crate::check::{Egress, Forbidden};
use crate::config::{Families, ResolverConfig};
use crate::quota::Rate;
use crate::resolve::hosts::Hosts;
use crate::resolve::order::{Family, Unreachable, choose};

/// Where names are looked up before any name server is asked, unless the configuration says otherwise.
const HOSTS: &str = "/etc/hosts";

/// How long a failure is kept (RFC 9520 wants a second at least): a name server that is down is not asked for each
/// request.
const FAILURE_TTL: Duration = Duration::from_secs(1);

/// Addresses of a name that are kept. Each request goes through all of them, and an answer may have thousands.
const MOST_ADDRESSES: usize = 64;

/// How long an answer is used again that is past its time, before the name servers are asked once more (RFC 8767).
const STALE_TTL: Duration = Duration::from_secs(30);

/// A resolver that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    #[error("resolver.hosts_file: cannot read `{path}`")]
    Hosts { path: PathBuf, source: std::io::Error },
    #[error("cannot set up the resolver: {0}")]
    Client(String),
}

/// A name that could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("`{0}` has no address")]
    NoAddress(String),
    #[error("`{0}` has no address of the local address's family")]
    NoFamily(String),
    #[error("`{name}` leads to `{address}`, which {why}")]
    Forbidden { name: String, address: IpAddr, why: Forbidden },
    #[error("`{0}` was not looked up: the tenant has more look-ups than it may (quota.lookups_per_s)")]
    TooMany(String),
    #[error("no answer for `{name}` within {} ms (resolver.timeout_ms)", .timeout.as_millis())]
    Timeout { name: String, timeout: Duration },
    #[error("`{name}` cannot be resolved: {message}")]
    Failed { name: String, message: String },
}

/// What a tenant may connect to, and what it found out about that.
pub struct May<'a> {
    pub egress: Egress<'a>,
    pub unreachable: &'a Unreachable,
    /// Names that are not in the cache.
    pub lookups: &'a Rate,
}

/// Resolves names for all tenants.
pub struct Resolver {
    hosts: Hosts,
    /// Or why no name server can be asked.
    client: Result<TokioResolver, String>,
    cache: Cache<String, Answer>,
    /// The last answers with addresses, kept beyond their time for when the name servers fail.
    last: Cache<String, Answer>,
    bounds: Bounds,
    timeout: Duration,
    turn: AtomicUsize,
}

/// What is kept of a look-up.
#[derive(Clone)]
struct Answer {
    found: Result<Arc<[IpAddr]>, ResolveError>,
    ttl: Duration,
}

struct Bounds {
    least: Duration,
    most: Duration,
    negative: Duration,
    stale: Duration,
}

/// Each answer says for itself how long it is good.
struct Ttl;

impl Resolver {
    pub fn new(config: &ResolverConfig) -> Result<Resolver, ResolverError> {
        let client = match servers(config) {
            Ok(servers) => Ok(client(servers, config).map_err(|error| ResolverError::Client(error.to_string()))?),
            // Names may never be asked for, and a proxy that needs none should run without name servers.
            Err(message) => Err(message),
        };
        let cache = || Cache::builder().max_capacity(config.cache_entries).expire_after(Ttl).build();
        let (least, most, negative, stale) = (config.min_ttl, config.max_ttl, config.negative_ttl, config.stale);
        Ok(Resolver {
            hosts: hosts(config.hosts_file.as_deref())?,
            client,
            cache: cache(),
            last: cache(),
            bounds: Bounds { least, most, negative, stale },
            timeout: config.timeout,
            turn: AtomicUsize::new(0),
        })
    }

    /// Addresses for a name in lower case, in the order in which they are to be tried. Never empty.
    pub async fn addresses(
        &self,
        name: &str,
        port: u16,
        family: Option<Family>,
        may: &May<'_>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let looked_up;
        let known = match self.hosts.addresses(name) {
            Some(known) => known,
            None => {
                looked_up = self.look_up(name, may.lookups).await?;
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

    /// From the cache, or by one look-up for all that wait for it.
    async fn look_up(&self, name: &str, lookups: &Rate) -> Result<Arc<[IpAddr]>, ResolveError> {
        if let Some(answer) = self.cache.get(name).await {
            return answer.found;
        }
        let now = Instant::now();
        if lookups.is_over(now) {
            return Err(ResolveError::TooMany(name.to_owned()));
        }
        lookups.spend(1, now);
        self.cache.entry_by_ref(name).or_insert_with(self.fresh_or_stale(name)).await.into_value().found
    }

    /// What the name servers say now, or what they said last if they fail. That a name has no address is an answer, not a
    /// failure.
    async fn fresh_or_stale(&self, name: &str) -> Answer {
        let answer = self.ask(name).await;
        match &answer.found {
            Ok(_) => {
                let kept = Answer { ttl: answer.ttl.saturating_add(self.bounds.stale), ..answer.clone() };
                self.last.insert(name.to_owned(), kept).await;
                answer
            }
            Err(ResolveError::Timeout { .. } | ResolveError::Failed { .. }) => match self.last.get(name).await {
                Some(last) => Answer { ttl: STALE_TTL, ..last },
                None => answer,
            },
            Err(
                ResolveError::NoAddress(_)
                | ResolveError::NoFamily(_)
                | ResolveError::Forbidden { .. }
                | ResolveError::TooMany(_),
            ) => answer,
        }
    }

    async fn ask(&self, name: &str) -> Answer {
        let failed = |message: String| ResolveError::Failed { name: name.to_owned(), message };
        let client = match &self.client {
            Ok(client) => client,
            Err(message) => return Answer { found: Err(failed(message.clone())), ttl: FAILURE_TTL },
        };
        // With the dot at its end it is the whole name: no search domain is tried, whatever `resolv.conf` lists.
        let asked = client.lookup_ip(format!("{name}."));
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(found)) => {
                let ttl = found.valid_until().saturating_duration_since(Instant::now());
                let addresses: Arc<[IpAddr]> = found.iter().take(MOST_ADDRESSES).map(|ip| ip.to_canonical()).collect();
                match addresses.is_empty() {
                    true => self.none(name, Some(ttl)),
                    false => Answer { found: Ok(addresses), ttl: ttl.clamp(self.bounds.least, self.bounds.most) },
                }
            }
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => {
                self.none(name, none.negative_ttl.map(|seconds| Duration::from_secs(seconds.into())))
            }
            Ok(Err(NetError::Timeout)) | Err(_) => {
                let found = Err(ResolveError::Timeout { name: name.to_owned(), timeout: self.timeout });
                Answer { found, ttl: FAILURE_TTL }
            }
            Ok(Err(error)) => Answer { found: Err(failed(error.to_string())), ttl: FAILURE_TTL },
        }
    }

    fn none(&self, name: &str, ttl: Option<Duration>) -> Answer {
        let ttl = ttl.unwrap_or(FAILURE_TTL).max(FAILURE_TTL).min(self.bounds.negative);
        Answer { found: Err(ResolveError::NoAddress(name.to_owned())), ttl }
    }
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

fn servers(config: &ResolverConfig) -> Result<Servers, String> {
    if config.servers.is_empty() {
        let (system, _) = read_system_conf().map_err(|error| format!("/etc/resolv.conf: {error}"))?;
        let (_, _, servers) = system.into_parts();
        return Ok(Servers::from_name_servers(servers));
    }
    let server = |address: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.into())
    };
    Ok(Servers::from_name_servers(config.servers.iter().map(server).collect()))
}

fn client(servers: Servers, config: &ResolverConfig) -> Result<TokioResolver, NetError> {
    /// Queries of one server that may wait at the same time; above it they fail. Names are looked up once for all that
    /// wait, so this is a number of names.
    const MOST_QUERIES: usize = 4096;
    let mut options = ResolverOpts::default();
    // Time for a lost packet to be sent once more.
    options.timeout = (config.timeout / 2).max(Duration::from_millis(1));
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = MOST_QUERIES;
    options.preserve_intermediates = false;
    options.ip_strategy = match config.families {
        Families::Both => LookupIpStrategy::Ipv4AndIpv6,
        Families::Ipv4 => LookupIpStrategy::Ipv4Only,
        Families::Ipv6 => LookupIpStrategy::Ipv6Only,
    };
    Client::builder_with_config(servers, TokioRuntimeProvider::default()).with_options(options).build()
}
