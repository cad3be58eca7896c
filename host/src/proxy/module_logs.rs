//! Writes the lines that modules log to the diagnostics.

use pointsman_rules::contract;
use pointsman_rules::limit_key::LimitKey;
use pointsman_wasm::call::CallReport;
use pointsman_wasm::module::Module;

use crate::tenant::Tenant;

/// Writes the lines that a module logged to the diagnostics, within the tenant's `quota.log_bytes_per_s`.
pub fn tell(tenant: &Tenant, module: &Module, report: &CallReport) {
    for line in &report.lines {
        if !is_shown(line.level) {
            continue;
        }
        let name = &*tenant.name;
        let Some(dropped) = tenant.usage.may_log(line.message.len(), report.end) else {
            tenant.metrics.over_budget(LimitKey::LogBytesPerS);
            continue;
        };
        if dropped > 0 {
            tracing::warn!(tenant = name, lines = dropped, "lines of modules dropped (quota.log_bytes_per_s)");
        }
        let module = module.digest();
        match line.level {
            contract::Level::Error => tracing::error!(target: MODULE, tenant = name, %module, "{}", line.message),
            contract::Level::Warn => tracing::warn!(target: MODULE, tenant = name, %module, "{}", line.message),
            contract::Level::Info => tracing::info!(target: MODULE, tenant = name, %module, "{}", line.message),
            contract::Level::Debug => tracing::debug!(target: MODULE, tenant = name, %module, "{}", line.message),
            contract::Level::Trace => tracing::trace!(target: MODULE, tenant = name, %module, "{}", line.message),
        }
    }
}

const MODULE: &str = "pointsman::module";

fn is_shown(level: contract::Level) -> bool {
    match level {
        contract::Level::Error => tracing::enabled!(target: MODULE, tracing::Level::ERROR),
        contract::Level::Warn => tracing::enabled!(target: MODULE, tracing::Level::WARN),
        contract::Level::Info => tracing::enabled!(target: MODULE, tracing::Level::INFO),
        contract::Level::Debug => tracing::enabled!(target: MODULE, tracing::Level::DEBUG),
        contract::Level::Trace => tracing::enabled!(target: MODULE, tracing::Level::TRACE),
    }
}
