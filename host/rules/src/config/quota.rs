//! Reads `[tenant.quota]` and `[tenant.breaker]`.

use crate::config::limit_section::LimitSection;
use crate::config::section::{Section, Unit};
use crate::config::{BreakerConfig, Quota};
use crate::limit_key::LimitKey;

const GIB: usize = 1024 * 1024 * 1024;

/// The ranges end where a number means "without limit" on any current machine.
pub fn read(section: Option<Section<'_>>) -> Quota {
    let defaults = Quota::default();
    let Some(mut section) = section.map(LimitSection) else { return defaults };
    let cpu_percent = section.number(LimitKey::CpuPercent, 1..=100, Unit::Things);
    let concurrent_decisions = section.number(LimitKey::ConcurrentDecisions, 1..=1024, Unit::Things);
    let connections = section.number(LimitKey::Connections, 1..=1_000_000, Unit::Things);
    let lookups_per_s = section.number(LimitKey::LookupsPerS, 1..=1_000_000, Unit::Things);
    let log_bytes_per_s = section.number(LimitKey::LogBytesPerS, 0..=1_073_741_824, Unit::Bytes);
    let mut number = |key, range, unit, default| section.number(key, range, unit).unwrap_or(default);
    let quota = Quota {
        cpu_percent,
        concurrent_decisions,
        concurrent_requests: number(
            LimitKey::ConcurrentRequests,
            1..=1_000_000,
            Unit::Things,
            defaults.concurrent_requests,
        ),
        connections,
        peers: number(LimitKey::Peers, 1..=100_000, Unit::Things, defaults.peers),
        shared_bytes: number(LimitKey::SharedBytes, 0..=GIB, Unit::Bytes, defaults.shared_bytes),
        cache_entries: number(LimitKey::CacheEntries, 0..=10_000_000, Unit::Things, defaults.cache_entries),
        cache_bytes: number(LimitKey::CacheBytes, 0..=GIB, Unit::Bytes, defaults.cache_bytes),
        lookups_per_s: lookups_per_s.unwrap_or(defaults.lookups_per_s),
        log_bytes_per_s: log_bytes_per_s.unwrap_or(defaults.log_bytes_per_s),
    };
    section.finish();
    quota
}

pub fn read_breaker(section: Option<Section<'_>>) -> BreakerConfig {
    let defaults = BreakerConfig::default();
    let Some(mut section) = section else { return defaults };
    let breaker = BreakerConfig {
        failures: section.number("failures", 0..=1_000_000, Unit::Things).unwrap_or(defaults.failures),
        // At most an hour: modules that fail for longer need an operator's decision.
        open: section.milliseconds("open_ms", 1..=3_600_000).unwrap_or(defaults.open),
        probes: section.number("probes", 1..=1_000, Unit::Things).unwrap_or(defaults.probes),
    };
    section.finish();
    breaker
}
