//! Writes the lines that modules log to the diagnostics.

use pointsman_rules::contract;
use pointsman_rules::limit_key::LimitKey;

use crate::decide::DecisionEvent;
use crate::evaluate::ModuleCall;
use crate::tenant::Tenant;

/// Writes the lines that the modules of a decision logged, within the tenant's `quota.log_bytes_per_s`.
pub fn write(event: &DecisionEvent<'_>) {
    event.calls.iter().for_each(|call| write_lines(event.tenant, call));
}

fn write_lines(tenant: &Tenant, call: &ModuleCall<'_>) {
    let (module, report) = (call.module, &call.report);
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
