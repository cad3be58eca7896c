//! Reads `[tenant.limits]`, and holds its types and defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::limit_section::LimitSection;
use crate::config::section::{Section, Unit};
use crate::limit_key::LimitKey;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The class of a module, recognized by what the module needs at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Compiled code and little else: C, Rust, Zig, AssemblyScript.
    Small,
    /// Compiled code with a language's runtime: Go, JavaScript, Python.
    Runtime,
}

/// `[tenant.limits]`: the resources that one decision may use, by the module's class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantLimits {
    small: Limits,
    runtime: Limits,
}

impl Default for TenantLimits {
    fn default() -> Self {
        TenantLimits { small: Limits::of(Class::Small), runtime: Limits::of(Class::Runtime) }
    }
}

/// The same limits for all classes.
impl From<Limits> for TenantLimits {
    fn from(limits: Limits) -> TenantLimits {
        TenantLimits { small: limits.clone(), runtime: limits }
    }
}

impl TenantLimits {
    pub fn of(&self, class: Class) -> &Limits {
        match class {
            Class::Small => &self.small,
            Class::Runtime => &self.runtime,
        }
    }

    /// Limits for values that do not depend on the class: attempts, and the body of a response.
    pub fn of_any(&self) -> &Limits {
        &self.small
    }

    /// Sets a limit for all classes.
    pub fn set(&mut self, limit: impl Fn(&mut Limits)) {
        limit(&mut self.small);
        limit(&mut self.runtime);
    }
}

/// The resources that one decision may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// CPU time of a decision.
    pub decision: Duration,
    /// CPU time of `configure`.
    pub configure: Duration,
    /// Linear memory in bytes, all memories of the module together.
    pub memory_bytes: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Core instances of one component.
    pub instances: usize,
    /// Live resource handles.
    pub handles: usize,
    /// Bytes that one call may copy from the module to the host, the answer included.
    pub host_call_bytes: usize,
    /// Calls of the host's functions.
    pub host_calls: usize,
    /// Bytes that one decision may log.
    pub log_bytes: usize,
    /// Attempts of one request, the first included.
    pub attempts: u32,
    /// Body of a response that the module itself gives, in bytes.
    pub response_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits::of(Class::Small)
    }
}

impl Limits {
    /// The defaults for a module of this class.
    pub fn of(class: Class) -> Limits {
        let small = Limits {
            decision: Duration::from_millis(10),
            configure: Duration::from_secs(2),
            memory_bytes: 16 * 1024 * 1024,
            table_elements: 10_000,
            instances: 64,
            handles: 1_000,
            host_call_bytes: 1024 * 1024,
            host_calls: 10_000,
            log_bytes: 4 * 1024,
            attempts: 3,
            response_body_bytes: 64 * 1024,
        };
        match class {
            Class::Small => small,
            // Interpreted code is tens of times slower, and a garbage collector works in bursts.
            Class::Runtime => Limits {
                decision: Duration::from_millis(50),
                configure: Duration::from_secs(10),
                memory_bytes: 64 * 1024 * 1024,
                table_elements: 20_000,
                instances: 100,
                handles: 10_000,
                ..small
            },
        }
    }
}

/// Reads the table. A limit that it sets applies to all of the tenant's modules, whatever their class.
///
/// The ranges of `memory_mib`, `table_elements` and `instances` end at the maximum that the engine reserves; the other
/// ranges end where one decision would be a burden to all tenants.
pub fn read(section: Option<Section<'_>>) -> TenantLimits {
    let mut limits = TenantLimits::default();
    let Some(mut section) = section.map(LimitSection) else { return limits };
    if let Some(decision) = section.milliseconds(LimitKey::DecisionMs, 1..=10_000) {
        limits.set(|limits| limits.decision = decision);
    }
    if let Some(configure) = section.milliseconds(LimitKey::ConfigureMs, 1..=60_000) {
        limits.set(|limits| limits.configure = configure);
    }
    if let Some(mebibytes) = section.number::<usize>(LimitKey::MemoryMib, 1..=256, Unit::Mebibytes) {
        limits.set(|limits| limits.memory_bytes = mebibytes.saturating_mul(MIB));
    }
    if let Some(attempts) = section.number(LimitKey::Attempts, 1..=16, Unit::Things) {
        limits.set(|limits| limits.attempts = attempts);
    }
    if let Some(elements) = section.number(LimitKey::TableElements, 1..=20_000, Unit::Things) {
        limits.set(|limits| limits.table_elements = elements);
    }
    if let Some(instances) = section.number(LimitKey::Instances, 1..=100, Unit::Things) {
        limits.set(|limits| limits.instances = instances);
    }
    if let Some(handles) = section.number(LimitKey::Handles, 1..=100_000, Unit::Things) {
        limits.set(|limits| limits.handles = handles);
    }
    if let Some(bytes) = section.number(LimitKey::HostCallBytes, KIB..=64 * MIB, Unit::Bytes) {
        limits.set(|limits| limits.host_call_bytes = bytes);
    }
    if let Some(calls) = section.number(LimitKey::HostCalls, 1..=1_000_000, Unit::Things) {
        limits.set(|limits| limits.host_calls = calls);
    }
    if let Some(bytes) = section.number(LimitKey::LogBytes, 0..=MIB, Unit::Bytes) {
        limits.set(|limits| limits.log_bytes = bytes);
    }
    if let Some(bytes) = section.number(LimitKey::ResponseBodyBytes, 0..=16 * MIB, Unit::Bytes) {
        limits.set(|limits| limits.response_body_bytes = bytes);
    }
    section.finish();
    limits
}
