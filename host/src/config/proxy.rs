//! `[proxy]`

use crate::config::ProxyConfig;
use crate::config::section::{DAY_MS, Section, Unit};

pub fn read(section: Option<Section<'_>>) -> ProxyConfig {
    let defaults = ProxyConfig::default();
    let Some(mut section) = section else { return defaults };
    let config = ProxyConfig {
        // Each thread costs address space for module instances; no machine in sight has more cores.
        threads: section.number("threads", 1..=1024, Unit::Things).unwrap_or(defaults.threads),
        // Far more connections than a process has file descriptors.
        idle_connections: section
            .number("idle_connections", 0..=1_000_000, Unit::Things)
            .unwrap_or(defaults.idle_connections),
        ca_file: section.path("ca_file"),
        error_header: section.boolean("error_header").unwrap_or(defaults.error_header),
        shutdown_timeout: section.milliseconds("shutdown_timeout_ms", 0..=DAY_MS).unwrap_or(defaults.shutdown_timeout),
        watch: section.boolean("watch").unwrap_or(defaults.watch),
        cache_dir: section.path("cache_dir"),
        cache_bytes: section
            .number("cache_mib", 1..=1_048_576_u64, Unit::Mebibytes)
            .map_or(defaults.cache_bytes, |mebibytes| mebibytes.saturating_mul(1024 * 1024)),
        state_dir: section.path("state_dir"),
        upgrade_socket: section.path("upgrade_socket"),
    };
    section.finish();
    config
}
