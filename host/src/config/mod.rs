//! The configuration: from TOML to checked types, every problem of a file told at once.
//!
//! Serde's derive stops at the first problem, so a small reader over TOML's spanned tree takes its place. Files that a
//! configuration names (modules, certificates) are not opened here.

mod hostname;
mod listener;
mod model;
mod problem;
mod read;
mod section;
mod settings;
mod tenant;

#[cfg(test)]
mod tests;

pub use model::{
    AccessLog, Config, FailureAnswer, Grants, HostPattern, Limits, ListenerConfig, ListenerTls, LogConfig, LogFormat,
    LogLevel, ModuleConfig, ProxyConfig, TcpKeepalive, TenantConfig, UpstreamDefaults,
};
pub use problem::ConfigErrors;
pub use read::{load, parse};
