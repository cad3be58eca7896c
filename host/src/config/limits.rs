//! `[tenant.limits]`

use crate::config::Limits;
use crate::config::section::{Section, Unit};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// `memory_mib`, `table_elements` and `instances` end at the ceilings that the engine reserves room for; the other
/// ranges end where one decision would be a burden to all tenants.
pub fn read(section: Option<Section<'_>>) -> Limits {
    let defaults = Limits::default();
    let Some(mut section) = section else { return defaults };
    let decision = section.milliseconds("decision_ms", 1..=10_000);
    let configure = section.milliseconds("configure_ms", 1..=60_000);
    let mebibytes: Option<usize> = section.number("memory_mib", 1..=256, Unit::Mebibytes);
    let attempts = section.number("attempts", 1..=16, Unit::Things);
    let mut number = |key, range, unit, default| section.number(key, range, unit).unwrap_or(default);
    let limits = Limits {
        decision: decision.unwrap_or(defaults.decision),
        configure: configure.unwrap_or(defaults.configure),
        memory_bytes: mebibytes.map_or(defaults.memory_bytes, |mebibytes| mebibytes.saturating_mul(MIB)),
        table_elements: number("table_elements", 1..=20_000, Unit::Things, defaults.table_elements),
        instances: number("instances", 1..=100, Unit::Things, defaults.instances),
        handles: number("handles", 1..=100_000, Unit::Things, defaults.handles),
        host_call_bytes: number("host_call_bytes", KIB..=64 * MIB, Unit::Bytes, defaults.host_call_bytes),
        host_calls: number("host_calls", 1..=1_000_000, Unit::Things, defaults.host_calls),
        log_bytes: number("log_bytes", 0..=MIB, Unit::Bytes, defaults.log_bytes),
        response_body_bytes: number("response_body_bytes", 0..=16 * MIB, Unit::Bytes, defaults.response_body_bytes),
        attempts: attempts.unwrap_or(defaults.attempts),
    };
    section.finish();
    limits
}
