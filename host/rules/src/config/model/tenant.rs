//! `[[tenant]]` and all that is below it.

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
    /// Asked in order until one does not pass.
    pub modules: Vec<ModuleConfig>,
    /// Decisions that one instance of a module may make. 1: each decision has a fresh one.
    pub instance_calls: u32,
    /// Whether an instance that has decided may be put back to the state in which it began, and used again.
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

/// `[tenant.release]`: how far a new version is let, and what brings the old one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseConfig {
    /// Where a version that passed its tests begins.
    pub stage: Stage,
    /// Share of the clients that a canary serves. 0: a candidate goes from shadow to live.
    pub canary_percent: u32,
    /// Good decisions after which a candidate goes one stage on. 0: their number promotes nothing.
    pub promote_after: u64,
    /// Time after which it does, if it made any. Zero: time promotes nothing.
    pub promote_after_time: Duration,
    /// Failed decisions that end a candidate's trial. 0: none do.
    pub abort_failures: u64,
    /// Failed decisions of a version that is new that bring back the one before. 0: none do.
    pub rollback_failures: u64,
    /// For how long it is new.
    pub rollback_window: Duration,
    /// Versions that are kept, compiled, beside those that serve.
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

/// How far a version is let.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It decides beside the live version, without effect.
    Shadow,
    /// It serves a share of the clients.
    Canary,
    /// It serves all.
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

/// Whose requests are a tenant's. No two tenants have a combination of the three in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// Exact names, wildcards (`*.shop.example`: one label or more in place of the star) and `*` (any other).
    pub hostnames: Vec<HostPattern>,
    /// The same for the server name of the client's TLS connection. Empty: with or without one.
    pub sni: Vec<HostPattern>,
    /// Names of listeners. Empty: all, but for what other tenants have by name.
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

/// Whether a module's instances start with the state that its first decisions leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Warm {
    /// Those of a large module with tests beside it, where nothing of the clock or of `random` gets into that state.
    #[default]
    Auto,
    /// Those of any module, and what it saw of the clock and of `random` may stay.
    Always,
    Never,
}

/// `[tenant.quota]`: what all requests of a tenant together may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Time of the worker threads for decisions, in per cent. None: it depends on how many tenants there are.
    pub cpu_percent: Option<u32>,
    /// Decisions at the same time. None: as many as there are threads, or half of that while they are slow.
    pub concurrent_decisions: Option<usize>,
    /// Requests in flight.
    pub concurrent_requests: usize,
    /// Upstream connections, in use or idle, that are kept for reuse. None: it depends on how many tenants there are.
    pub connections: Option<usize>,
    /// Distinct peers whose connections are told apart.
    pub peers: usize,
    /// Names that the resolver looks up for the tenant in a second.
    pub lookups_per_s: u64,
    /// Bytes that the modules may log in a second.
    pub log_bytes_per_s: u64,
    /// What the modules may keep in `shared`.
    pub shared_bytes: usize,
    /// Steps of remembered decisions. 0: none is remembered.
    pub cache_entries: usize,
    /// Bytes that they may take together. 0: none is remembered.
    pub cache_bytes: usize,
}

/// What a quota leaves open: a tenant's share of what all of them use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub cpu_percent: u32,
    pub connections: usize,
    pub while_slow: WhileSlow,
}

/// Threads that may decide at the same time for a tenant whose decisions are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileSlow {
    All,
    Half,
}

impl Share {
    /// Of a tenant that has the proxy for itself.
    pub const ALL: Share = Share { cpu_percent: 100, connections: usize::MAX, while_slow: WhileSlow::All };
    /// Of one among others. Connections: half of what the pool keeps by default.
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

/// `[tenant.breaker]`: when the modules are not asked any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failed decisions in a row that open it. 0: it never opens.
    pub failures: u32,
    /// How long the modules are left alone then.
    pub open: Duration,
    /// Decisions in a row that must succeed, one at a time, before all are asked for again.
    pub probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig { failures: 20, open: Duration::from_secs(5), probes: 3 }
    }
}

/// `[tenant.upstream]`: what a peer record leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamDefaults {
    pub connect_timeout: Duration,
    pub total_connect_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    /// For all attempts of a request, until one of them answers.
    pub overall_timeout: Duration,
    /// Zero: connections are not kept.
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

/// `[tenant.failure]`: what happens, in turn, when no module decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fallback {
    /// Asked in the place of the tenant's modules.
    pub modules: Vec<ModuleConfig>,
    pub peer: Option<FallbackPeer>,
    pub answer: FailureAnswer,
}

/// `[tenant.failure.peer]`: where requests go without a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackPeer {
    /// As in the WIT record `peer`.
    pub address: String,
    pub tls: bool,
    pub sni: Option<String>,
    /// The name of a credential.
    pub ca: Option<String>,
}

/// What the client gets when no module decided.
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
    /// None: their health is what requests find.
    pub health_check: Option<HealthCheckConfig>,
}

/// `[tenant.group.health_check]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheckConfig {
    pub probe: Probe,
    pub interval: Duration,
    pub timeout: Duration,
    /// Probes in a row after which an address changes its state.
    pub successes: u32,
    pub failures: u32,
}

impl HealthCheckConfig {
    pub const INTERVAL: Duration = Duration::from_secs(5);
    pub const TIMEOUT: Duration = Duration::from_secs(1);
    pub const SUCCESSES: u32 = 1;
    pub const FAILURES: u32 = 2;
}

/// What a health check tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// To connect.
    Tcp,
    /// To get this path, which must answer 200.
    Http {
        path: String,
        /// None: the address.
        host: Option<String>,
    },
}

/// `[tenant.grants]`: what the operator allows beyond the safe default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// `verify = ["chain-only"]`: certificates may be accepted for any name.
    pub verify_chain_only: bool,
    /// `verify = ["none"]`: certificates may go unchecked.
    pub verify_none: bool,
    /// `bind_to = true`: the local address may be chosen.
    pub bind_to: bool,
    /// Addresses beyond the public internet that may be connected to.
    pub networks: Vec<IpNet>,
    /// Ports of other protocols than HTTP that may be connected to.
    pub ports: Vec<u16>,
    /// Unix sockets that may be connected to: absolute paths, or folders with a `/` at the end for all below.
    pub unix_sockets: Vec<String>,
    /// Names of credentials that may be used.
    pub credentials: Vec<String>,
}
