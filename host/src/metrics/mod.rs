//! The metrics of the process, in Prometheus format. Label values come from the configuration and from fixed lists,
//! never from a request or a module, so the number of series is bounded.

mod families;
mod listener;
mod tenant;

pub use listener::{ListenerMetrics, OpenConnection};
pub use tenant::{FallbackLevel, TenantMetrics};

use prometheus::{Encoder as _, Registry, TextEncoder};

use crate::metrics::families::{Families, ListenerFamilies, ProcessFamilies, TenantFamilies};

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    process: ProcessFamilies,
    tenants: TenantFamilies,
    listeners: ListenerFamilies,
}

impl Metrics {
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let families = Families(&registry);
        let (process, tenants) = (ProcessFamilies::new(&families)?, TenantFamilies::new(&families)?);
        let listeners = ListenerFamilies::new(&families)?;
        Ok(Metrics { registry, process, tenants, listeners })
    }

    /// The metrics of one tenant.
    pub fn tenant(&self, name: &str) -> TenantMetrics {
        TenantMetrics::new(&self.tenants, name)
    }

    /// The metrics of one listener.
    pub fn listener(&self, name: &str) -> ListenerMetrics {
        ListenerMetrics::new(&self.listeners, name)
    }

    /// Counts a request that matched no tenant.
    pub fn unrouted(&self, code: &'static str) {
        self.process.unrouted.with_label_values(&[code]).inc();
    }

    /// Counts a reload of the configuration: `done` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.process.reloads.with_label_values(&[outcome]).inc();
    }

    /// Counts a refused request to the admin listener, by the error's code.
    pub fn admin_refused(&self, code: &'static str) {
        self.process.admin_refused.with_label_values(&[code]).inc();
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use pointsman_rules::decision_cache::Uncacheable;
    use pointsman_rules::limit_key::LimitKey;
    use pointsman_rules::quota::State;
    use pointsman_wasm::call::InstanceOrigin;
    use pointsman_wasm::module::Digest;

    use super::*;

    #[test]
    fn documented_metrics_are_the_real_ones() {
        let metrics = Metrics::new().expect("metrics");
        let tenant = metrics.tenant("shop");
        tenant.request(200);
        tenant.decision("trap", Duration::from_micros(7), InstanceOrigin::New);
        tenant.over_budget(LimitKey::Peers);
        tenant.fallback(FallbackLevel::Peer);
        tenant.attempt_failed("refused");
        tenant.breaker(State::Open);
        tenant.version(1, [Digest::of(b"module")].into_iter());
        tenant.release("refused");
        tenant.candidate("agreed");
        tenant.cache_skipped();
        tenant.uncacheable(Uncacheable::Log);
        metrics.reload("done");
        metrics.unrouted("no-tenant");
        let listener = metrics.listener("web");
        let _open = listener.connection();
        listener.accept_error();
        listener.refused_connection("proxy-max-connections");
        listener.closed("first-byte-timeout");
        listener.refused_request("host");
        listener.handshake("completed");
        metrics.admin_refused("unauthorized");
        let text = metrics.text().expect("text");
        let real: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();

        let docs = include_str!("../../../docs/metrics.md");
        let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<BTreeSet<_>>(), real);
        for (name, labels) in [
            ("pointsman_requests_total", r#"{status="2xx",tenant="shop"} 1"#),
            ("pointsman_decisions_total", r#"{outcome="trap",tenant="shop"} 1"#),
            ("pointsman_decision_seconds_count", r#"{tenant="shop"} 1"#),
            ("pointsman_breaker_state", r#"{tenant="shop"} 2"#),
            ("pointsman_unrouted_requests_total", r#"{code="no-tenant"} 1"#),
        ] {
            assert!(text.contains(&format!("{name}{labels}\n")), "{text}");
        }
    }

    #[test]
    fn status_of_any_class_is_counted() {
        let metrics = Metrics::new().expect("metrics");
        let tenant = metrics.tenant("shop");
        for status in [0, 101, 204, 302, 404, 503, 999] {
            tenant.request(status);
        }
        let text = metrics.text().expect("text");
        assert!(text.contains(r#"{status="none",tenant="shop"} 1"#), "{text}");
        assert!(text.contains(r#"{status="5xx",tenant="shop"} 2"#), "{text}");
    }
}
