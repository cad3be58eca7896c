//! Metric families, grouped by subject: process, tenant, listener. `docs/metrics.md` describes each.

use prometheus::core::Collector;
use prometheus::{Error, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Makes families and registers them.
pub struct Families<'r>(pub &'r Registry);

/// The families of the process.
pub struct ProcessFamilies {
    pub unrouted: IntCounterVec,
    pub reloads: IntCounterVec,
    pub admin_refused: IntCounterVec,
}

/// The families of a tenant.
pub struct TenantFamilies {
    pub requests: IntCounterVec,
    pub decisions: IntCounterVec,
    pub decision_seconds: HistogramVec,
    pub instances: IntCounterVec,
    pub over_budget: IntCounterVec,
    pub fallbacks: IntCounterVec,
    pub attempts: IntCounterVec,
    pub breaker: IntGaugeVec,
    pub versions: VersionFamilies,
    pub cache: CacheFamilies,
}

/// The families about the versions of a tenant's modules.
pub struct VersionFamilies {
    pub modules: IntGaugeVec,
    pub live: IntGaugeVec,
    pub releases: IntCounterVec,
    pub candidates: IntCounterVec,
}

/// The families about a tenant's decision cache.
pub struct CacheFamilies {
    pub lookups: IntCounterVec,
    pub uncacheable: IntCounterVec,
    pub entries: IntGaugeVec,
    pub bytes: IntGaugeVec,
}

/// The families of a listener.
pub struct ListenerFamilies {
    pub connections: IntGaugeVec,
    pub accept_errors: IntCounterVec,
    pub refused_connections: IntCounterVec,
    pub closed_connections: IntCounterVec,
    pub refused_requests: IntCounterVec,
    pub handshakes: IntCounterVec,
}

/// In seconds: from a small module on a fast core to the longest decision that a configuration allows.
const DECISION_BUCKETS: [f64; 14] = [5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.1, 1.0, 10.0];

impl ProcessFamilies {
    pub fn new(families: &Families<'_>) -> Result<ProcessFamilies, Error> {
        Ok(ProcessFamilies {
            unrouted: families.counter(
                "pointsman_unrouted_requests_total",
                "Requests without a tenant, by failure code",
                &["code"],
            )?,
            reloads: families.counter(
                "pointsman_config_reloads_total",
                "Reloads of the configuration, by outcome: `done`, or `refused` as a whole",
                &["outcome"],
            )?,
            admin_refused: families.counter(
                "pointsman_admin_refused_total",
                "Refused requests to the admin address, by error code",
                &["code"],
            )?,
        })
    }
}

impl TenantFamilies {
    pub fn new(families: &Families<'_>) -> Result<TenantFamilies, Error> {
        Ok(TenantFamilies {
            requests: families.counter(
                "pointsman_requests_total",
                "Completed requests, by class of their status; `none`: the client disconnected first",
                &["tenant", "status"],
            )?,
            decisions: families.counter(
                "pointsman_decisions_total",
                "Decisions requested from modules, by outcome",
                &["tenant", "outcome"],
            )?,
            decision_seconds: families.histogram(
                "pointsman_decision_seconds",
                "Wall time of a module's decision, from call to answer",
                &DECISION_BUCKETS,
                &["tenant"],
            )?,
            instances: families.counter(
                "pointsman_instances_total",
                "Decisions by the origin of their instance: `new`, `rewound` or `reused`",
                &["tenant", "origin"],
            )?,
            over_budget: families.counter(
                "pointsman_over_budget_total",
                "Work refused or cut because a limit or quota was reached, by its configuration key",
                &["tenant", "key"],
            )?,
            fallbacks: families.counter(
                "pointsman_fallbacks_total",
                "Decisions replaced by the tenant's fallback, by its level",
                &["tenant", "level"],
            )?,
            attempts: families.counter(
                "pointsman_attempts_total",
                "Completed attempts to reach an upstream, by outcome",
                &["tenant", "outcome"],
            )?,
            breaker: families.gauge(
                "pointsman_breaker_state",
                "State of the tenant's circuit breaker. 0: closed; 1: half open, one call at a time; 2: open, no calls",
                &["tenant"],
            )?,
            versions: VersionFamilies::new(families)?,
            cache: CacheFamilies::new(families)?,
        })
    }
}

impl VersionFamilies {
    pub fn new(families: &Families<'_>) -> Result<VersionFamilies, Error> {
        Ok(VersionFamilies {
            modules: families.gauge(
                "pointsman_module_info",
                "The tenant's modules, in the order in which they are called; always 1",
                &["tenant", "position", "digest"],
            )?,
            live: families.gauge(
                "pointsman_live_version",
                "Number of the module version that serves the tenant",
                &["tenant"],
            )?,
            releases: families.counter(
                "pointsman_releases_total",
                "New versions of a tenant's modules, by outcome: `refused`, `live`, `rolled-back`, `aborted`",
                &["tenant", "outcome"],
            )?,
            candidates: families.counter(
                "pointsman_candidate_decisions_total",
                "Decisions of versions on trial, by outcome",
                &["tenant", "outcome"],
            )?,
        })
    }
}

impl CacheFamilies {
    pub fn new(families: &Families<'_>) -> Result<CacheFamilies, Error> {
        Ok(CacheFamilies {
            lookups: families.counter(
                "pointsman_cache_lookups_total",
                "Lookups in the decision cache: `hit`, `miss`, `skipped` while the hit rate is low",
                &["tenant", "outcome"],
            )?,
            uncacheable: families.counter(
                "pointsman_cache_uncacheable_total",
                "Decisions that are not cached, by reason",
                &["tenant", "reason"],
            )?,
            entries: families.gauge(
                "pointsman_cache_entries",
                "Entries of the decision cache: one per decision, and one per value that selects the next read",
                &["tenant"],
            )?,
            bytes: families.gauge(
                "pointsman_cache_bytes",
                "Memory charged for the decision cache, in bytes",
                &["tenant"],
            )?,
        })
    }
}

impl ListenerFamilies {
    pub fn new(families: &Families<'_>) -> Result<ListenerFamilies, Error> {
        Ok(ListenerFamilies {
            connections: families.gauge("pointsman_connections", "Open connections of clients", &["listener"])?,
            accept_errors: families.counter(
                "pointsman_accept_errors_total",
                "Connections that could not be accepted, usually for lack of file descriptors",
                &["listener"],
            )?,
            refused_connections: families.counter(
                "pointsman_refused_connections_total",
                "Connections closed on arrival, by the limit that was reached",
                &["listener", "reason"],
            )?,
            closed_connections: families.counter(
                "pointsman_closed_connections_total",
                "Connections that the proxy closed because the client was too slow or violated the protocol, by reason",
                &["listener", "reason"],
            )?,
            refused_requests: families.counter(
                "pointsman_refused_requests_total",
                "Requests refused before a tenant was chosen, by problem",
                &["listener", "reason"],
            )?,
            handshakes: families.counter(
                "pointsman_tls_handshakes_total",
                "Completed TLS handshakes with clients, by outcome",
                &["listener", "outcome"],
            )?,
        })
    }
}

impl Families<'_> {
    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> Result<HistogramVec, Error> {
        self.registered(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }

    fn registered<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, Error> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }
}
