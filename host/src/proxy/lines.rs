//! The lines that modules log, as diagnostics.

use crate::call::Decided;
use crate::module::Module;
use crate::raw;
use crate::tenant::Tenant;

/// Writes what a module logged to the diagnostics, as fast as the tenant may.
pub fn tell(tenant: &Tenant, module: &Module, decided: &Decided) {
    for line in &decided.lines {
        if !is_shown(line.level) {
            continue;
        }
        let name = &*tenant.name;
        let Some(dropped) = tenant.usage.may_log(line.message.len(), decided.end) else {
            tenant.metrics.over_budget("log_bytes_per_s");
            continue;
        };
        if dropped > 0 {
            tracing::warn!(tenant = name, lines = dropped, "lines of modules dropped (quota.log_bytes_per_s)");
        }
        let module = module.digest();
        match line.level {
            raw::Level::Error => tracing::error!(target: MODULE, tenant = name, %module, "{}", line.message),
            raw::Level::Warn => tracing::warn!(target: MODULE, tenant = name, %module, "{}", line.message),
            raw::Level::Info => tracing::info!(target: MODULE, tenant = name, %module, "{}", line.message),
            raw::Level::Debug => tracing::debug!(target: MODULE, tenant = name, %module, "{}", line.message),
            raw::Level::Trace => tracing::trace!(target: MODULE, tenant = name, %module, "{}", line.message),
        }
    }
}

const MODULE: &str = "pointsman::module";

fn is_shown(level: raw::Level) -> bool {
    match level {
        raw::Level::Error => tracing::enabled!(target: MODULE, tracing::Level::ERROR),
        raw::Level::Warn => tracing::enabled!(target: MODULE, tracing::Level::WARN),
        raw::Level::Info => tracing::enabled!(target: MODULE, tracing::Level::INFO),
        raw::Level::Debug => tracing::enabled!(target: MODULE, tracing::Level::DEBUG),
        raw::Level::Trace => tracing::enabled!(target: MODULE, tracing::Level::TRACE),
    }
}
