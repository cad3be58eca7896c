//! Reads the configuration from TOML into checked types, and reports every problem of its files at once.
//!
//! Serde's derive stops at the first problem, so a small reader over TOML's spanned tree replaces it. Files that a
//! configuration names (modules, certificates) are not opened here.

// One file per table of the configuration.
mod admin;
mod failure;
mod files;
mod forwarded;
mod grants;
mod group;
mod limits;
mod listener;
mod log;
mod module;
mod proxy;
mod quota;
mod read;
mod release;
mod resolver;
mod tenant;
mod upstream;

// Shared by the table readers.
mod claims;
mod credential;
mod hostname;
mod limit_section;
mod model;
mod name;
mod nearest;
mod problem;
mod section;

#[cfg(test)]
mod tests;

pub use files::{files, folder_of_tenants, is_of_tenants, load, load_admin};
pub use limits::{Class, Limits, TenantLimits};
pub use model::{
    AccessLog, AdminConfig, BreakerConfig, Config, CredentialConfig, CredentialFiles, FailureAnswer, Fallback,
    FallbackPeer, Families, ForwardedConfig, Grants, GroupConfig, HealthCheckConfig, HostPattern, Http2Config,
    ListenerConfig, ListenerTls, LogConfig, LogFormat, LogLevel, Matching, ModuleConfig, Probe, ProxyConfig, Quota,
    ReleaseConfig, ResolverConfig, Share, Stage, TcpKeepalive, TenantConfig, UpstreamDefaults, Warm, WhileSlow,
};
pub use nearest::nearest;
pub use problem::ConfigErrors;
pub use read::parse;
