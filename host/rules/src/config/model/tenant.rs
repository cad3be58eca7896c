//! The types of a checked `[[tenant]]` and the tables below it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::{ProxyConfig, TenantLimits};

/// `[[tenant]]`
#[derive(Debug, Clone, PartialEq)]
pub struct TenantConfig {
    /// Unique: letters, digits, `-`, `_` and `.`, at most 64 bytes.
    pub name: String,
    pub matching: Matching,
    /// Called in order until one returns a decision other than `pass`.
    pub modules: Vec<ModuleConfig>,
    /// Decisions that one instance of a module may make. 1: each decision gets a fresh instance.
    pub instance_calls: u32,
    /// Whether an instance may be rewound to its initial state after a decision, and reused.
    pub rewind: bool,
    pub limits: TenantLimits,
    pub quota: Quota,
    pub breaker: BreakerConfig,
    pub upstream: UpstreamDefaults,
    pub failure: Fallback,
    pub groups: Vec<GroupConfig>,
    pub grants: Grants,
    pub release: ReleaseConfig,
}

/// `[tenant.release]`: the rollout of a new version, and the conditions for a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseConfig {
    /// First stage of a version that passed its tests.
    pub stage: Stage,
    /// Share of the clients that a canary serves, in per cent. 0: a candidate goes from shadow straight to live.
    pub canary_percent: u32,
    /// Good decisions after which a candidate is promoted by one stage. 0: their number promotes nothing.
    pub promote_after: u64,
    /// Time after which a candidate is promoted, if it made any good decision. Zero: time promotes nothing.
    pub promote_after_time: Duration,
    /// Failed decisions that abort a candidate. 0: none do.
    pub abort_failures: u64,
    /// Failed decisions of a new version that roll back to the previous one. 0: none do.
    pub rollback_failures: u64,
    /// How long a version counts as new.
    pub rollback_window: Duration,
    /// Compiled versions that are kept in addition to those that serve.
    pub history: usize,
}

impl Default for ReleaseConfig {
    fn default() -> Self {
        ReleaseConfig {
            stage: Stage::Live,
            canary_percent: 10,
            promote_after: 0,
            promote_after_time: Duration::ZERO,
            abort_failures: 5,
            rollback_failures: 5,
            rollback_window: Duration::from_secs(60),
            history: 5,
        }
    }
}

/// Stage of a version's rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It decides in parallel with the live version, without effect.
    Shadow,
    /// It serves a share of the clients.
    Canary,
    /// It serves all clients.
    Live,
}

impl Stage {
    pub const ALL: [(&str, Stage); 3] = [("shadow", Stage::Shadow), ("canary", Stage::Canary), ("live", Stage::Live)];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Shadow => "shadow",
            Stage::Canary => "canary",
            Stage::Live => "live",
        }
    }
}

impl TenantConfig {
    pub const INSTANCE_CALLS: u32 = 1;
    pub const REWIND: bool = true;
}

/// Selects a tenant's requests. No two tenants have a combination of the three fields in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// Exact names, wildcards (`*.shop.example`: one label or more in place of the star) and `*` (any other).
    pub hostnames: Vec<HostPattern>,
    /// The same kinds of pattern, for the server name (SNI) of the client's TLS connection. Empty: with or without one.
    pub sni: Vec<HostPattern>,
    /// Names of listeners. Empty: all, except what other tenants claim on a named listener.
    pub listeners: Vec<String>,
}

/// A hostname pattern, in lower case and without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `shop.example`, or an IP address.
    Exact(String),
    /// `*.shop.example`, kept as `shop.example`.
    Wildcard(String),
    /// `*`
    Any,
}

/// `[[tenant.module]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleConfig {
    /// A component, or a core module with its component type.
    pub path: PathBuf,
    /// The `config` table as JSON, as the module reads it.
    pub config: serde_json::Value,
    pub warm: Warm,
}

/// Whether a module's instances start from the state that its first decisions leave behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Warm {
    /// Instances of a large module with tests next to it do, if no value of the clock or of `random` gets into that
    /// state.
    #[default]
    Auto,
    /// Instances of any module do, and values of the clock and of `random` may stay in that state.
    Always,
    Never,
}

/// `[tenant.quota]`: the resources that all requests of a tenant together may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Share of the worker threads' time for decisions, in per cent. None: depends on the number of tenants.
    pub cpu_percent: Option<u32>,
    /// Most concurrent decisions. None: as many as there are threads, or half as many while decisions are slow.
    pub concurrent_decisions: Option<usize>,
    /// Most requests in flight.
    pub concurrent_requests: usize,
    /// Upstream connections, in use or idle, that are kept for reuse. None: depends on the number of tenants.
    pub connections: Option<usize>,
    /// Most distinct peers whose connections are kept apart.
    pub peers: usize,
    /// Names that the resolver looks up for the tenant per second.
    pub lookups_per_s: u64,
    /// Bytes that the modules may log per second.
    pub log_bytes_per_s: u64,
    /// Bytes that the modules may keep in `shared`.
    pub shared_bytes: usize,
    /// Most entries of the decision cache, one per step of a cached decision. 0: no decision is cached.
    pub cache_entries: usize,
    /// Bytes that cached decisions and routes may take together. 0: none is cached.
    pub cache_bytes: usize,
}

/// A tenant's share of resources that all tenants use, for values that its quota leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub cpu_percent: u32,
    pub connections: usize,
    pub while_slow: WhileSlow,
}

/// Threads that may decide concurrently for a tenant whose decisions are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileSlow {
    All,
    Half,
}

impl Share {
    /// The share of a tenant that has the proxy to itself.
    pub const ALL: Share = Share { cpu_percent: 100, connections: usize::MAX, while_slow: WhileSlow::All };
    /// The share of a tenant among others. Connections: half of the pool's default size.
    pub const AMONG_OTHERS: Share =
        Share { cpu_percent: 50, connections: ProxyConfig::IDLE_CONNECTIONS / 2, while_slow: WhileSlow::Half };
}

impl Default for Quota {
    fn default() -> Self {
        Quota {
            cpu_percent: None,
            concurrent_decisions: None,
            concurrent_requests: 10_000,
            connections: None,
            peers: 1_000,
            lookups_per_s: 100,
            log_bytes_per_s: 64 * 1024,
            shared_bytes: 1024 * 1024,
            cache_entries: 20_000,
            cache_bytes: 16 * 1024 * 1024,
        }
    }
}

/// `[tenant.breaker]`: when the modules are no longer called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Consecutive failed decisions that open the breaker. 0: it never opens.
    pub failures: u32,
    /// How long the breaker stays open, so that no module is called.
    pub open: Duration,
    /// Consecutive decisions that must succeed, one at a time, before the breaker closes.
    pub probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig { failures: 20, open: Duration::from_secs(5), probes: 3 }
    }
}

/// `[tenant.upstream]`: defaults for fields that a peer record leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamDefaults {
    pub connect_timeout: Duration,
    pub total_connect_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    /// Longest time for all attempts of a request, until one of them answers.
    pub overall_timeout: Duration,
    /// Zero: connections are not kept for reuse.
    pub idle_timeout: Duration,
    pub tcp_keepalive: Option<TcpKeepalive>,
    pub max_h2_streams: u32,
}

impl Default for UpstreamDefaults {
    fn default() -> Self {
        UpstreamDefaults {
            connect_timeout: Duration::from_secs(3),
            total_connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            overall_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            tcp_keepalive: None,
            max_h2_streams: 100,
        }
    }
}

/// `[tenant.upstream.tcp_keepalive]`; ranges as for `tcp-keepalive` in the WIT package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpKeepalive {
    pub idle: Duration,
    pub interval: Duration,
    pub count: u32,
    /// Zero: the system's default.
    pub user_timeout: Duration,
}

/// `[tenant.failure]`: the fallbacks, in this order, when no module decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fallback {
    /// Called in place of the tenant's modules.
    pub modules: Vec<ModuleConfig>,
    pub peer: Option<FallbackPeer>,
    pub answer: FailureAnswer,
}

/// `[tenant.failure.peer]`: the peer for requests without a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackPeer {
    /// As in the WIT record `peer`.
    pub address: String,
    pub tls: bool,
    pub sni: Option<String>,
    /// The name of a credential.
    pub ca: Option<String>,
}

/// The response that the client gets when no module decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureAnswer {
    /// None: the status of the failure itself (see `docs/errors.md`).
    pub status: Option<StatusCode>,
    pub body: String,
    pub content_type: String,
}

impl Default for FailureAnswer {
    fn default() -> Self {
        FailureAnswer { status: None, body: String::new(), content_type: "text/plain; charset=utf-8".to_owned() }
    }
}

/// `[[tenant.group]]`: upstreams that modules choose from, and whose health the host checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// Unique within the tenant.
    pub name: String,
    pub addresses: Vec<SocketAddr>,
    /// None: no probes are sent, and the members' health is unknown.
    pub health_check: Option<HealthCheckConfig>,
}

/// `[tenant.group.health_check]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheckConfig {
    pub probe: Probe,
    pub interval: Duration,
    pub timeout: Duration,
    /// Consecutive probes after which an address changes its state.
    pub successes: u32,
    pub failures: u32,
}

impl HealthCheckConfig {
    pub const INTERVAL: Duration = Duration::from_secs(5);
    pub const TIMEOUT: Duration = Duration::from_secs(1);
    pub const SUCCESSES: u32 = 1;
    pub const FAILURES: u32 = 2;
}

/// The kind of probe that a health check sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Opens a connection.
    Tcp,
    /// Requests this path with GET; the answer must be 200.
    Http {
        path: String,
        /// None: the address.
        host: Option<String>,
    },
}

/// `[tenant.grants]`: permissions beyond the safe default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `verify = ["chain-only"]`: certificates may be accepted for any name.
    pub verify_chain_only: bool,
    /// `verify = ["none"]`: certificates may be left unchecked.
    pub verify_none: bool,
    /// `bind_to = true`: the local address may be chosen.
    pub bind_to: bool,
    /// Addresses beyond the public internet that may be connected to.
    pub networks: Vec<IpNet>,
    /// Ports of protocols other than HTTP that may be connected to.
    pub ports: Vec<u16>,
    /// Unix sockets that may be connected to: absolute paths, or folders with a `/` at the end for all sockets below.
    pub unix_sockets: Vec<String>,
    /// Names of credentials that may be used.
    pub credentials: Vec<String>,
}
