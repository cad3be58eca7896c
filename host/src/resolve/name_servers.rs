//! Queries the name servers for the addresses of a name, one family per look-up.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig as Servers, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver as Client, TokioResolver};
use pointsman_rules::config::ResolverConfig;
use pointsman_rules::exhausted::Exhausted;

use crate::resolve::answer::FamilyAnswer;
use crate::resolve::{Family, ResolveError, ResolverError};

/// How long a failure is cached (RFC 9520 requires at least a second), so that a name server that is down is not
/// queried for each request.
const FAILURE_TTL: Duration = Duration::from_secs(1);

/// Addresses of one name and family that are kept, at most. Each request iterates over all of them, and an answer may
/// have thousands.
const MOST_ADDRESSES: usize = 64;

/// A look-up under way. It ends within the resolver's timeout.
pub type Lookup = Pin<Box<dyn Future<Output = FamilyAnswer> + Send>>;

/// The name servers, and the bounds on how long their answers are valid.
pub struct NameServers {
    /// The client, or why there is none. That is an error only when a name is looked up: a proxy that needs no names
    /// must run without name servers.
    client: Result<TokioResolver, String>,
    timeout: Duration,
    ttl: TtlBounds,
}

/// Bounds on how long an answer is valid, whatever its own TTL.
#[derive(Debug, Clone, Copy)]
struct TtlBounds {
    least: Duration,
    most: Duration,
    /// Longest time for an answer without addresses.
    negative: Duration,
}

impl NameServers {
    pub fn new(config: &ResolverConfig) -> Result<NameServers, ResolverError> {
        let client = match servers(config) {
            Ok(servers) => Ok(client(servers, config).map_err(|error| ResolverError::Client(error.to_string()))?),
            Err(message) => Err(message),
        };
        let ttl = TtlBounds { least: config.min_ttl, most: config.max_ttl, negative: config.negative_ttl };
        Ok(NameServers { client, timeout: config.timeout, ttl })
    }

    /// The shortest time that an answer with addresses is valid.
    pub fn least_ttl(&self) -> Duration {
        self.ttl.least
    }

    /// Looks up the addresses of one family, for a name that `dns_name` accepts.
    pub fn look_up(&self, name: &str, family: Family) -> Lookup {
        let (name, timeout, ttl) = (name.to_owned(), self.timeout, self.ttl);
        let asked = self.client.clone().and_then(|client| Ok((client, wire_name(&name)?)));
        Box::pin(async move {
            let failed = |error| FamilyAnswer { family, found: Err(error), ttl: FAILURE_TTL };
            let (client, wire_name) = match asked {
                Ok(asked) => asked,
                Err(message) => return failed(ResolveError::Failed { name, message }),
            };
            match tokio::time::timeout(timeout, client.lookup(wire_name, record_type(family))).await {
                Ok(Ok(found)) => {
                    let records = found.answers().iter().filter_map(|record| record.data.ip_addr());
                    let addresses: Vec<IpAddr> = records.take(MOST_ADDRESSES).map(|ip| ip.to_canonical()).collect();
                    let left = found.valid_until().saturating_duration_since(Instant::now());
                    match addresses.is_empty() {
                        true => ttl.none(name, family, Some(left)),
                        false => FamilyAnswer { family, found: Ok(addresses), ttl: left.clamp(ttl.least, ttl.most) },
                    }
                }
                Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => {
                    ttl.none(name, family, none.negative_ttl.map(|seconds| Duration::from_secs(seconds.into())))
                }
                Ok(Err(NetError::Timeout)) | Err(_) => failed(ResolveError::Timeout { name, timeout }),
                Ok(Err(error)) => failed(match exhausted(&error) {
                    Some(cause) => ResolveError::Exhausted { name, cause },
                    None => ResolveError::Failed { name, message: format!("{}: {error}", record_type(family)) },
                }),
            }
        })
    }
}

impl TtlBounds {
    fn none(&self, name: String, family: Family, ttl: Option<Duration>) -> FamilyAnswer {
        let ttl = ttl.unwrap_or(FAILURE_TTL).max(FAILURE_TTL).min(self.negative);
        FamilyAnswer { family, found: Err(ResolveError::NoAddress(name)), ttl }
    }
}

fn record_type(family: Family) -> RecordType {
    match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    }
}

/// The name as it appears in a query. It is built from the bytes of its labels: hickory parses text as a host name,
/// which has no `_` in the middle of a label, while DNS allows any byte (RFC 2181, section 11). It is a fully qualified
/// name: no search domain is tried, whatever `resolv.conf` lists.
fn wire_name(name: &str) -> Result<Name, String> {
    Name::from_labels(name.split('.').map(str::as_bytes)).map_err(|error| error.to_string())
}

/// The resource that the proxy has run out of, if that is why no name server could be queried. hickory reports a socket
/// that it could not open as a name server that it could not reach, so this tries to open one.
fn exhausted(error: &NetError) -> Option<Exhausted> {
    match error {
        NetError::Io(error) => Exhausted::of(error),
        NetError::NoConnections => {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).err().and_then(|error| Exhausted::of(&error))
        }
        _ => None,
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
    /// Queries that may wait for one server at the same time; above it they fail. One look-up serves all requests for a
    /// name, so this is a number of names.
    const MOST_QUERIES: usize = 4096;
    /// Name servers that are queried at the same time, as many as glibc reads from `resolv.conf`. Each may use up the
    /// whole timeout, so a silent one must not keep the next from being queried.
    const ASKED_AT_ONCE: usize = 3;
    let mut options = ResolverOpts::default();
    // One attempt with the whole timeout: within an attempt, hickory repeats a query over UDP and still listens for the
    // answer to the first, but an attempt that is over discards later answers.
    options.timeout = config.timeout;
    options.num_concurrent_reqs = ASKED_AT_ONCE;
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = MOST_QUERIES;
    options.preserve_intermediates = false;
    Client::builder_with_config(servers, TokioRuntimeProvider::default()).with_options(options).build()
}

#[cfg(test)]
mod tests {
    use pointsman_rules::dns_name::dns_name;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn on_the_wire(name: &str) {
        let wire = wire_name(name).expect("a name");
        let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
        assert_eq!(wire.iter().collect::<Vec<_>>(), labels, "{name}");
        assert!(wire.is_fqdn(), "{name}");
    }

    #[test]
    fn longest_names_are_queried() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        for name in ["my_service", "_dmarc.a_b.test", "-a.b-.test", "127.0.0.1x", "1.2.3.a", &label, &longest] {
            assert_eq!(dns_name(name).as_deref(), Ok(name));
            on_the_wire(name);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_accepted_name_is_queried_unchanged(
            text in prop_oneof!["[a-zA-Z0-9_-]{1,70}(\\.[a-zA-Z0-9_-]{1,63}){0,6}\\.?", "\\PC{1,40}"],
        ) {
            if let Ok(name) = dns_name(&text) {
                on_the_wire(&name);
            }
        }
    }
}
