//! A candidate: a version that is tried on live requests before it serves all of them.

use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;
use pointsman_rules::config::{Quota, ReleaseConfig, Stage};
use pointsman_rules::quota::{Count, CountGuard};
use pointsman_rules::stores::Stores;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::api::{self, Difference};
use crate::metrics::TenantMetrics;
use crate::versions::Version;

/// The current stage of a candidate's rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub stage: Stage,
    /// Percentage of clients that a canary serves.
    pub percent: u32,
}

/// A version on trial.
#[derive(Debug)]
pub struct Candidate {
    pub version: Arc<Version>,
    pub trial: Trial,
    /// The candidate's own `shared` stores while it is a shadow; they last as long as the trial.
    stores: OnceLock<Arc<Stores>>,
    since: Instant,
    agreements: AtomicU64,
    declined: AtomicU64,
    differences: AtomicU64,
    failures: AtomicU64,
    skipped: AtomicU64,
    waiting: Count,
    examples: Mutex<VecDeque<Difference>>,
    metrics: Arc<TenantMetrics>,
}

/// The outcome of one decision of a candidate.
#[derive(Debug)]
pub enum TrialOutcome {
    /// In shadow: the same decision as the live version's. As a canary: a usable decision.
    Agreed,
    /// As a canary: it refused to decide, or passed.
    Declined,
    Differed(Difference),
    /// A trap, a spent budget, a refused record.
    Failed,
    /// The candidate did not decide this request.
    Skipped,
}

/// The next step that a candidate's counters call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    Promote { reason: String },
    Abort { reason: String },
}

/// Number of differences kept as examples.
const EXAMPLES: usize = 10;

/// Limit on requests queued for one candidate, since all tenants share the queue.
const WAITING: usize = 64;

impl Trial {
    /// The trial that a tenant's configuration asks for.
    pub fn of(config: &ReleaseConfig) -> Trial {
        Trial { stage: config.stage, percent: config.canary_percent }
    }

    /// The percentage of clients, if it is a canary.
    pub fn share(self) -> Option<u32> {
        (self.stage == Stage::Canary).then_some(self.percent)
    }
}

impl Candidate {
    pub fn new(version: Arc<Version>, trial: Trial, metrics: Arc<TenantMetrics>, now: Instant) -> Candidate {
        Candidate {
            version,
            trial,
            stores: OnceLock::new(),
            since: now,
            agreements: AtomicU64::new(0),
            declined: AtomicU64::new(0),
            differences: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            waiting: Count::default(),
            examples: Mutex::default(),
            metrics,
        }
    }

    /// Whether the canary serves this client. The result is stable for a client and a version; each version gets a
    /// different share of clients, so that the same clients do not meet every new version. A larger share includes all
    /// clients of a smaller one.
    pub fn serves(&self, client: Option<IpAddr>) -> bool {
        if self.trial.stage != Stage::Canary {
            return false;
        }
        let mut hash = XxHash64::with_seed(self.version.number);
        match client {
            Some(IpAddr::V4(ip)) => hash.write(&ip.octets()),
            Some(IpAddr::V6(ip)) => hash.write(&ip.octets()),
            None => {}
        }
        hash.finish() % 100 < u64::from(self.trial.percent)
    }

    /// Its own stores; empty at first. `tenant` are those of the live version.
    pub fn stores(&self, tenant: &Stores, quota: &Quota) -> &Arc<Stores> {
        self.stores.get_or_init(|| tenant.to_try_out(quota))
    }

    /// Reserves a place in the queue for one more request, for as long as the result is held. None: no place is free.
    pub fn may_wait(&self) -> Option<CountGuard> {
        self.waiting.enter(WAITING)
    }

    pub fn count(&self, trial: TrialOutcome) {
        let (counter, outcome) = match &trial {
            TrialOutcome::Agreed => (&self.agreements, "agreed"),
            TrialOutcome::Declined => (&self.declined, "declined"),
            TrialOutcome::Differed(_) => (&self.differences, "differed"),
            TrialOutcome::Failed => (&self.failures, "failed"),
            TrialOutcome::Skipped => (&self.skipped, "skipped"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.metrics.candidate(outcome);
        if let TrialOutcome::Differed(difference) = trial {
            let mut examples = self.examples.lock();
            if examples.len() == EXAMPLES {
                examples.pop_front();
            }
            examples.push_back(difference);
        }
    }

    pub fn verdict(&self, config: &ReleaseConfig, now: Instant) -> Verdict {
        let failures = self.failures.load(Ordering::Relaxed);
        if config.abort_failures > 0 && failures >= config.abort_failures {
            return Verdict::Abort { reason: format!("{failures} decisions failed (release.abort_failures)") };
        }
        let agreements = self.agreements.load(Ordering::Relaxed);
        if config.promote_after > 0 && agreements >= config.promote_after {
            return Verdict::Promote { reason: format!("{agreements} good decisions (release.promote_after)") };
        }
        let elapsed = now.saturating_duration_since(self.since);
        if !config.promote_after_time.is_zero() && elapsed >= config.promote_after_time && agreements > 0 {
            let reason = format!("{} s and {agreements} good decisions (release.promote_after_ms)", elapsed.as_secs());
            return Verdict::Promote { reason };
        }
        Verdict::GoOn
    }

    /// Its progress.
    pub fn report(&self) -> api::Candidate {
        api::Candidate {
            version: self.version.number,
            stage: self.trial.stage,
            percent: self.trial.share(),
            agreements: self.agreements.load(Ordering::Relaxed),
            declined: self.declined.load(Ordering::Relaxed),
            differences: self.differences.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            examples: self.examples.lock().iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::Origin;
    use crate::metrics::Metrics;

    fn candidate(stage: Stage, number: u64, now: Instant) -> Candidate {
        let metrics = Arc::new(Metrics::new().expect("metrics").tenant("shop"));
        let version = Arc::new(Version::new(number, Vec::new(), Origin::Upload));
        Candidate::new(version, Trial { stage, percent: 20 }, metrics, now)
    }

    #[test]
    fn canary_serves_its_share_and_always_the_same_clients() {
        let (one, two) = (candidate(Stage::Canary, 1, Instant::now()), candidate(Stage::Canary, 2, Instant::now()));
        let clients: Vec<IpAddr> = (0..10_000_u32).map(|client| IpAddr::V4((client * 7919).into())).collect();
        let served =
            |candidate: &Candidate| clients.iter().map(|client| candidate.serves(Some(*client))).collect::<Vec<_>>();
        let share = served(&one).iter().filter(|served| **served).count();
        assert!((1_800..2_200).contains(&share), "{share} of 10,000");
        assert_eq!(served(&one), served(&one));
        assert_ne!(served(&one), served(&two));
        let more =
            Candidate { trial: Trial { percent: 50, ..one.trial }, ..candidate(Stage::Canary, 1, Instant::now()) };
        assert!(clients.iter().all(|client| !one.serves(Some(*client)) || more.serves(Some(*client))));
        assert!(!candidate(Stage::Shadow, 1, Instant::now()).serves(Some(clients[0])));
    }

    #[test]
    fn counts_decide_when_it_is_promoted_or_aborted() {
        let config = ReleaseConfig {
            promote_after: 3,
            promote_after_time: Duration::from_secs(60),
            abort_failures: 2,
            ..ReleaseConfig::default()
        };
        let now = Instant::now();
        let by_count = candidate(Stage::Shadow, 1, now);
        (0..2).for_each(|_| by_count.count(TrialOutcome::Agreed));
        by_count.count(TrialOutcome::Failed);
        assert_eq!(by_count.verdict(&config, now + Duration::from_secs(59)), Verdict::GoOn);
        assert!(matches!(by_count.verdict(&config, now + Duration::from_secs(60)), Verdict::Promote { .. }));
        by_count.count(TrialOutcome::Agreed);
        assert!(matches!(by_count.verdict(&config, now), Verdict::Promote { .. }));
        by_count.count(TrialOutcome::Failed);
        assert!(matches!(by_count.verdict(&config, now), Verdict::Abort { .. }));
        let idle = candidate(Stage::Shadow, 1, now);
        (0..9).for_each(|_| idle.count(TrialOutcome::Declined));
        assert_eq!(idle.verdict(&config, now + Duration::from_secs(600)), Verdict::GoOn, "it has shown nothing");
        let by_hand = ReleaseConfig::default();
        assert_eq!(by_count.verdict(&by_hand, now + Duration::from_secs(600)), Verdict::GoOn);
    }

    #[test]
    fn queue_of_a_candidate_is_bounded() {
        let candidate = candidate(Stage::Shadow, 1, Instant::now());
        let mut waiting: Vec<CountGuard> = (0..WAITING).filter_map(|_| candidate.may_wait()).collect();
        assert!(waiting.len() == WAITING && candidate.may_wait().is_none());
        waiting.pop();
        assert!(candidate.may_wait().is_some());
    }
}
