//! The metrics of one tenant. Series for frequent events are looked up once, at the start; those for rare events, when
//! they happen.

use std::time::Duration;

use parking_lot::Mutex;
use pointsman_rules::decision_cache::Uncacheable;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::quota::State;
use pointsman_wasm::call::InstanceOrigin;
use pointsman_wasm::module::Digest;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::metrics::families::TenantFamilies;

pub struct TenantMetrics {
    name: String,
    /// By the first digit of the status; 0 means no response.
    requests: [IntCounter; 6],
    connects: IntCounter,
    decisions: IntCounterVec,
    decision_seconds: Histogram,
    new_instances: IntCounter,
    rewound_instances: IntCounter,
    reused_instances: IntCounter,
    over_budget: IntCounterVec,
    fallbacks: IntCounterVec,
    attempts: IntCounterVec,
    responses: IntCounter,
    breaker: IntGauge,
    modules: prometheus::IntGaugeVec,
    live: Mutex<Option<Live>>,
    versions: IntGauge,
    releases: IntCounterVec,
    candidates: IntCounterVec,
    cache_hits: IntCounter,
    cache_lookups: IntCounterVec,
    cache_misses: IntCounter,
    uncacheable: IntCounterVec,
    cache_entries: IntGauge,
    cache_bytes: IntGauge,
}

/// The fallback that replaced a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackLevel {
    /// The previous version, in place of a new one.
    Version,
    Module,
    Peer,
    Answer,
}

impl FallbackLevel {
    pub fn name(self) -> &'static str {
        match self {
            FallbackLevel::Version => "version",
            FallbackLevel::Module => "module",
            FallbackLevel::Peer => "peer",
            FallbackLevel::Answer => "answer",
        }
    }
}

/// The live version that the tenant's series show.
#[derive(Debug)]
struct Live {
    number: u64,
    digests: Vec<String>,
}

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
const CONNECT: &str = "connect";
const RESPONSE: &str = "response";

impl TenantMetrics {
    pub(super) fn new(families: &TenantFamilies, name: &str) -> TenantMetrics {
        TenantMetrics {
            name: name.to_owned(),
            requests: CLASSES.map(|class| families.requests.with_label_values(&[name, class])),
            connects: families.decisions.with_label_values(&[name, CONNECT]),
            decisions: families.decisions.clone(),
            decision_seconds: families.decision_seconds.with_label_values(&[name]),
            new_instances: families.instances.with_label_values(&[name, "new"]),
            rewound_instances: families.instances.with_label_values(&[name, "rewound"]),
            reused_instances: families.instances.with_label_values(&[name, "reused"]),
            over_budget: families.over_budget.clone(),
            fallbacks: families.fallbacks.clone(),
            responses: families.attempts.with_label_values(&[name, RESPONSE]),
            attempts: families.attempts.clone(),
            breaker: families.breaker.with_label_values(&[name]),
            modules: families.versions.modules.clone(),
            live: Mutex::default(),
            versions: families.versions.live.with_label_values(&[name]),
            releases: families.versions.releases.clone(),
            candidates: families.versions.candidates.clone(),
            cache_hits: families.cache.lookups.with_label_values(&[name, "hit"]),
            cache_misses: families.cache.lookups.with_label_values(&[name, "miss"]),
            cache_lookups: families.cache.lookups.clone(),
            uncacheable: families.cache.uncacheable.clone(),
            cache_entries: families.cache.entries.with_label_values(&[name]),
            cache_bytes: families.cache.bytes.with_label_values(&[name]),
        }
    }

    /// Counts a request that ended; status 0: the client had gone.
    pub fn request(&self, status: u16) {
        let class = usize::from(status / 100).min(self.requests.len() - 1);
        if let Some(counter) = self.requests.get(class) {
            counter.inc();
        }
    }

    /// Counts a call of a module.
    pub fn decision(&self, outcome: &'static str, elapsed: Duration, instance: InstanceOrigin) {
        match instance {
            InstanceOrigin::New => self.new_instances.inc(),
            InstanceOrigin::Rewound => self.rewound_instances.inc(),
            InstanceOrigin::Reused => self.reused_instances.inc(),
        }
        self.decision_seconds.observe(elapsed.as_secs_f64());
        match outcome {
            CONNECT => self.connects.inc(),
            outcome => self.decisions.with_label_values(&[self.name.as_str(), outcome]).inc(),
        }
    }

    /// Counts a decision that came from the cache, without calling its module.
    pub fn cache_hit(&self) {
        self.cache_hits.inc();
    }

    pub fn cache_hits(&self) -> u64 {
        self.cache_hits.get()
    }

    /// Counts a cache lookup that found nothing, so that the module is called.
    pub fn cache_miss(&self) {
        self.cache_misses.inc();
    }

    /// Counts a decision for which the cache was not consulted.
    pub fn cache_skipped(&self) {
        self.cache_lookups.with_label_values(&[self.name.as_str(), "skipped"]).inc();
    }

    /// Counts a decision that cannot be cached.
    pub fn uncacheable(&self, reason: Uncacheable) {
        self.uncacheable.with_label_values(&[self.name.as_str(), reason.name()]).inc();
    }

    /// Sets the size of the decision cache: entries and bytes.
    pub fn cache(&self, (entries, bytes): (usize, u64)) {
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts that a limit or quota was reached.
    pub fn over_budget(&self, key: LimitKey) {
        self.over_budget_times(key, 1);
    }

    pub fn over_budget_times(&self, key: LimitKey, times: u64) {
        self.over_budget.with_label_values(&[self.name.as_str(), key.name()]).inc_by(times);
    }

    pub fn fallback(&self, level: FallbackLevel) {
        self.fallbacks.with_label_values(&[self.name.as_str(), level.name()]).inc();
    }

    /// Counts an attempt that the upstream answered.
    pub fn attempt_answered(&self) {
        self.responses.inc();
    }

    /// Counts an attempt that failed.
    pub fn attempt_failed(&self, failure: &'static str) {
        self.attempts.with_label_values(&[self.name.as_str(), failure]).inc();
    }

    pub fn breaker(&self, state: State) {
        self.breaker.set(match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        });
    }

    /// Shows the version that serves from now on.
    pub fn version(&self, number: u64, digests: impl Iterator<Item = Digest>) {
        let mut live = self.live.lock();
        if live.as_ref().is_some_and(|live| live.number == number) {
            return;
        }
        let now = Live { number, digests: digests.map(|digest| digest.to_string()).collect() };
        let labels = |live: &Live| {
            let labels =
                |(position, digest): (usize, &String)| [self.name.clone(), position.to_string(), digest.clone()];
            live.digests.iter().enumerate().map(labels).collect::<Vec<_>>()
        };
        for labels in live.iter().flat_map(labels) {
            // The series exists: it was set when that version went live.
            let _ = self.modules.remove_label_values(&labels);
        }
        for labels in labels(&now) {
            self.modules.with_label_values(&labels).set(1);
        }
        self.versions.set(i64::try_from(now.number).unwrap_or(i64::MAX));
        *live = Some(now);
    }

    /// Counts the outcome of a candidate's decision, or that it made none.
    pub fn candidate(&self, outcome: &'static str) {
        self.candidates.with_label_values(&[self.name.as_str(), outcome]).inc();
    }

    /// Counts the outcome of a release: `refused`, `live`, `rolled-back`, `aborted`.
    pub fn release(&self, outcome: &'static str) {
        self.releases.with_label_values(&[self.name.as_str(), outcome]).inc();
    }
}

impl std::fmt::Debug for TenantMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenantMetrics({})", self.name)
    }
}
