//! The metrics of the process, in Prometheus format. Label values come from the configuration and from fixed lists,
//! never from a request or a module, so the number of series is bounded.

mod listener;
mod tenant;

pub use listener::{ListenerMetrics, OpenConnection};
pub use tenant::{FallbackLevel, TenantMetrics};

use prometheus::core::Collector;
use prometheus::{Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    families: Families,
}

/// Metrics by tenant and by listener; `docs/metrics.md` says what each counts.
struct Families {
    requests: IntCounterVec,
    unrouted: IntCounterVec,
    decisions: IntCounterVec,
    decision_seconds: HistogramVec,
    instances: IntCounterVec,
    over_budget: IntCounterVec,
    fallbacks: IntCounterVec,
    attempts: IntCounterVec,
    breaker: IntGaugeVec,
    modules: IntGaugeVec,
    versions: IntGaugeVec,
    releases: IntCounterVec,
    candidates: IntCounterVec,
    cache_lookups: IntCounterVec,
    uncacheable: IntCounterVec,
    cache_entries: IntGaugeVec,
    cache_bytes: IntGaugeVec,
    reloads: IntCounterVec,
    connections: IntGaugeVec,
    accept_errors: IntCounterVec,
    refused_connections: IntCounterVec,
    closed_connections: IntCounterVec,
    refused_requests: IntCounterVec,
    handshakes: IntCounterVec,
    admin_refused: IntCounterVec,
}

/// In seconds: from a small module on a fast core to the longest decision that a configuration allows.
const DECISION_BUCKETS: [f64; 14] = [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.1, 1.0, 10.0];

impl Metrics {
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name, help, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registered(&registry, vec)
        };
        let gauge = |name, help, labels: &[&str]| {
            let vec = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registered(&registry, vec)
        };
        let decision_seconds =
            HistogramOpts::new("pointsman_decision_seconds", "Wall time of a module's decision, from call to answer")
                .buckets(DECISION_BUCKETS.to_vec());
        let families = Families {
            requests: counter(
                "pointsman_requests_total",
                "Requests that ended, by class of their status; `none`: the client had gone",
                &["tenant", "status"],
            )?,
            unrouted: counter(
                "pointsman_unrouted_requests_total",
                "Requests that no tenant could be found for, by failure code",
                &["code"],
            )?,
            decisions: counter(
                "pointsman_decisions_total",
                "Decisions that modules were asked for, by what came of them",
                &["tenant", "outcome"],
            )?,
            decision_seconds: registered(&registry, HistogramVec::new(decision_seconds, &["tenant"])?)?,
            over_budget: counter(
                "pointsman_over_budget_total",
                "Work refused or cut because a limit or quota was reached, by its configuration key",
                &["tenant", "key"],
            )?,
            fallbacks: counter(
                "pointsman_fallbacks_total",
                "Decisions replaced by the tenant's fallback, by its level",
                &["tenant", "level"],
            )?,
            attempts: counter(
                "pointsman_attempts_total",
                "Ended attempts to reach an upstream, by outcome",
                &["tenant", "outcome"],
            )?,
            breaker: gauge(
                "pointsman_breaker_state",
                "State of the tenant's circuit breaker. 0: closed; 1: half open, one call at a time; 2: open, no calls",
                &["tenant"],
            )?,
            modules: gauge(
                "pointsman_module_info",
                "The tenant's modules, in the order in which they are called; always 1",
                &["tenant", "position", "digest"],
            )?,
            versions: gauge(
                "pointsman_live_version",
                "Number of the module version that serves the tenant",
                &["tenant"],
            )?,
            releases: counter(
                "pointsman_releases_total",
                "New versions of a tenant's modules, by outcome: `refused`, `live`, `rolled-back`, `aborted`",
                &["tenant", "outcome"],
            )?,
            candidates: counter(
                "pointsman_candidate_decisions_total",
                "Decisions of versions on trial, by outcome",
                &["tenant", "outcome"],
            )?,
            instances: counter(
                "pointsman_instances_total",
                "Decisions by the origin of their instance: `new`, `rewound` or `reused`",
                &["tenant", "origin"],
            )?,
            cache_lookups: counter(
                "pointsman_cache_lookups_total",
                "Lookups in the decision cache: `hit`, `miss`, `skipped` while the hit rate is low",
                &["tenant", "outcome"],
            )?,
            uncacheable: counter(
                "pointsman_cache_uncacheable_total",
                "Decisions that are not cached, by reason",
                &["tenant", "reason"],
            )?,
            cache_entries: gauge(
                "pointsman_cache_entries",
                "Entries of the decision cache: one per decision, and one per value that selects the next read",
                &["tenant"],
            )?,
            cache_bytes: gauge(
                "pointsman_cache_bytes",
                "Memory charged for the decision cache, in bytes",
                &["tenant"],
            )?,
            reloads: counter(
                "pointsman_config_reloads_total",
                "Times that the configuration was read again: `done`, or `refused` as a whole",
                &["outcome"],
            )?,
            connections: gauge("pointsman_connections", "Open connections of clients", &["listener"])?,
            accept_errors: counter(
                "pointsman_accept_errors_total",
                "Connections that could not be accepted, as a rule for want of file descriptors",
                &["listener"],
            )?,
            refused_connections: counter(
                "pointsman_refused_connections_total",
                "Connections that were closed as they came in, by the bound that was reached",
                &["listener", "reason"],
            )?,
            closed_connections: counter(
                "pointsman_closed_connections_total",
                "Connections that the proxy closed since the client kept it waiting or broke the protocol, by reason",
                &["listener", "reason"],
            )?,
            refused_requests: counter(
                "pointsman_refused_requests_total",
                "Requests that were refused before they had a tenant, by what is wrong with them",
                &["listener", "reason"],
            )?,
            handshakes: counter(
                "pointsman_tls_handshakes_total",
                "TLS handshakes of clients that ended, by what came of them",
                &["listener", "outcome"],
            )?,
            admin_refused: counter(
                "pointsman_admin_refused_total",
                "Requests to the admin address from clients that may not ask, by the error's code",
                &["code"],
            )?,
        };
        Ok(Metrics { registry, families })
    }

    /// The metrics of one tenant.
    pub fn tenant(&self, name: &str) -> TenantMetrics {
        TenantMetrics::new(&self.families, name)
    }

    /// The metrics of one listener.
    pub fn listener(&self, name: &str) -> ListenerMetrics {
        ListenerMetrics::new(&self.families, name)
    }

    /// Counts a request that matched no tenant.
    pub fn unrouted(&self, code: &'static str) {
        self.families.unrouted.with_label_values(&[code]).inc();
    }

    /// Counts a reload of the configuration: `done` or `refused`.
    pub fn reload(&self, outcome: &'static str) {
        self.families.reloads.with_label_values(&[outcome]).inc();
    }

    /// Counts a refused request to the admin listener, by the error's code.
    pub fn admin_refused(&self, code: &'static str) {
        self.families.admin_refused.with_label_values(&[code]).inc();
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
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
