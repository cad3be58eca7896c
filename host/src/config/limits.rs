//! `[tenant.limits]`

use crate::config::TenantLimits;
use crate::config::section::{Section, Unit};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What is written holds for all of the tenant's modules, whatever their class.
///
/// `memory_mib`, `table_elements` and `instances` end at the ceilings that the engine reserves room for; the other
/// ranges end where one decision would be a burden to all tenants.
pub fn read(section: Option<Section<'_>>) -> TenantLimits {
    let mut limits = TenantLimits::default();
    let Some(mut section) = section else { return limits };
    if let Some(decision) = section.milliseconds("decision_ms", 1..=10_000) {
        limits.set(|limits| limits.decision = decision);
    }
    if let Some(configure) = section.milliseconds("configure_ms", 1..=60_000) {
        limits.set(|limits| limits.configure = configure);
    }
    if let Some(mebibytes) = section.number::<usize>("memory_mib", 1..=256, Unit::Mebibytes) {
        limits.set(|limits| limits.memory_bytes = mebibytes.saturating_mul(MIB));
    }
    if let Some(attempts) = section.number("attempts", 1..=16, Unit::Things) {
        limits.set(|limits| limits.attempts = attempts);
    }
    if let Some(elements) = section.number("table_elements", 1..=20_000, Unit::Things) {
        limits.set(|limits| limits.table_elements = elements);
    }
    if let Some(instances) = section.number("instances", 1..=100, Unit::Things) {
        limits.set(|limits| limits.instances = instances);
    }
    if let Some(handles) = section.number("handles", 1..=100_000, Unit::Things) {
        limits.set(|limits| limits.handles = handles);
    }
    if let Some(bytes) = section.number("host_call_bytes", KIB..=64 * MIB, Unit::Bytes) {
        limits.set(|limits| limits.host_call_bytes = bytes);
    }
    if let Some(calls) = section.number("host_calls", 1..=1_000_000, Unit::Things) {
        limits.set(|limits| limits.host_calls = calls);
    }
    if let Some(bytes) = section.number("log_bytes", 0..=MIB, Unit::Bytes) {
        limits.set(|limits| limits.log_bytes = bytes);
    }
    if let Some(bytes) = section.number("response_body_bytes", 0..=16 * MIB, Unit::Bytes) {
        limits.set(|limits| limits.response_body_bytes = bytes);
    }
    section.finish();
    limits
}
