//! A version that is tried on live requests before it serves them all.

use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use twox_hash::XxHash64;

use crate::config::{ReleaseConfig, Stage};
use crate::release::Version;

/// A version in its trial.
#[derive(Debug)]
pub struct Candidate {
    pub version: Arc<Version>,
    pub stage: Stage,
    /// Of the clients, where it serves a share.
    pub percent: u32,
    since: Instant,
    agreements: AtomicU64,
    differences: AtomicU64,
    failures: AtomicU64,
    skipped: AtomicU64,
    examples: Mutex<VecDeque<Difference>>,
}

/// A request that two versions decided differently.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub method: String,
    pub authority: String,
    pub path: String,
    pub live: Value,
    pub candidate: Value,
}

/// How a trial goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateReport {
    pub version: u64,
    pub stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// In shadow: decisions that were the same. As a canary: decisions that could be used.
    pub agreements: u64,
    pub differences: u64,
    /// Decisions that failed: a trap, a spent budget, a refused record.
    pub failures: u64,
    /// Requests that it was not asked about, since it was still busy or its tenant had no time left.
    pub skipped: u64,
    /// The last differences.
    pub examples: Vec<Difference>,
}

/// What a candidate's counts call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    Promote { because: String },
    Abort { because: String },
}

/// Differences that are kept as examples.
const EXAMPLES: usize = 10;

impl Candidate {
    pub fn new(version: Arc<Version>, stage: Stage, config: &ReleaseConfig, now: Instant) -> Candidate {
        Candidate {
            version,
            stage,
            percent: config.canary_percent,
            since: now,
            agreements: AtomicU64::new(0),
            differences: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            examples: Mutex::default(),
        }
    }

    /// Whether a client is among those that a canary serves. Always the same for a client and a version; another share
    /// of them for another version, so that not the same clients meet all that is new.
    pub fn serves(&self, client: Option<IpAddr>) -> bool {
        if self.stage != Stage::Canary {
            return false;
        }
        let mut hash = XxHash64::with_seed(self.version.number);
        match client {
            Some(IpAddr::V4(ip)) => hash.write(&ip.octets()),
            Some(IpAddr::V6(ip)) => hash.write(&ip.octets()),
            None => {}
        }
        hash.finish() % 100 < u64::from(self.percent)
    }

    pub fn agreed(&self) {
        self.agreements.fetch_add(1, Ordering::Relaxed);
    }

    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub fn skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub fn differed(&self, difference: Difference) {
        self.differences.fetch_add(1, Ordering::Relaxed);
        let mut examples = self.examples.lock();
        if examples.len() == EXAMPLES {
            examples.pop_front();
        }
        examples.push_back(difference);
    }

    pub fn verdict(&self, config: &ReleaseConfig, now: Instant) -> Verdict {
        let failures = self.failures.load(Ordering::Relaxed);
        if config.abort_failures > 0 && failures >= config.abort_failures {
            return Verdict::Abort { because: format!("{failures} decisions failed (release.abort_failures)") };
        }
        let agreements = self.agreements.load(Ordering::Relaxed);
        if config.promote_after > 0 && agreements >= config.promote_after {
            return Verdict::Promote { because: format!("{agreements} good decisions (release.promote_after)") };
        }
        let elapsed = now.saturating_duration_since(self.since);
        if !config.promote_after_time.is_zero() && elapsed >= config.promote_after_time && agreements > 0 {
            let because = format!("{} s and {agreements} good decisions (release.promote_after_ms)", elapsed.as_secs());
            return Verdict::Promote { because };
        }
        Verdict::GoOn
    }

    pub fn report(&self) -> CandidateReport {
        CandidateReport {
            version: self.version.number,
            stage: self.stage,
            percent: (self.stage == Stage::Canary).then_some(self.percent),
            agreements: self.agreements.load(Ordering::Relaxed),
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
    use crate::release::Origin;

    fn candidate(stage: Stage, number: u64, config: &ReleaseConfig, now: Instant) -> Candidate {
        Candidate::new(Arc::new(Version::new(number, Vec::new(), Origin::Upload)), stage, config, now)
    }

    #[test]
    fn canary_serves_its_share_and_always_the_same_clients() {
        let config = ReleaseConfig { canary_percent: 20, ..ReleaseConfig::default() };
        let (one, two) = (
            candidate(Stage::Canary, 1, &config, Instant::now()),
            candidate(Stage::Canary, 2, &config, Instant::now()),
        );
        let clients: Vec<IpAddr> = (0..10_000_u32).map(|client| IpAddr::V4((client * 7919).into())).collect();
        let served =
            |candidate: &Candidate| clients.iter().map(|client| candidate.serves(Some(*client))).collect::<Vec<_>>();
        let share = served(&one).iter().filter(|served| **served).count();
        assert!((1_800..2_200).contains(&share), "{share} of 10,000");
        assert_eq!(served(&one), served(&one));
        assert_ne!(served(&one), served(&two));
        assert!(!candidate(Stage::Shadow, 1, &config, Instant::now()).serves(Some(clients[0])));
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
        let by_count = candidate(Stage::Shadow, 1, &config, now);
        (0..2).for_each(|_| by_count.agreed());
        by_count.failed();
        assert_eq!(by_count.verdict(&config, now + Duration::from_secs(59)), Verdict::GoOn);
        assert!(matches!(by_count.verdict(&config, now + Duration::from_secs(60)), Verdict::Promote { .. }));
        by_count.agreed();
        assert!(matches!(by_count.verdict(&config, now), Verdict::Promote { .. }));
        by_count.failed();
        assert!(matches!(by_count.verdict(&config, now), Verdict::Abort { .. }));
        let idle = candidate(Stage::Shadow, 1, &config, now);
        assert_eq!(idle.verdict(&config, now + Duration::from_secs(600)), Verdict::GoOn, "it has shown nothing");
        let by_hand = ReleaseConfig::default();
        assert_eq!(by_count.verdict(&by_hand, now + Duration::from_secs(600)), Verdict::GoOn);
    }
}
