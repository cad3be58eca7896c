//! The versions that serve a tenant now.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use pointsman_rules::config::{ReleaseConfig, Stage};

use crate::versions::{Candidate, Version};

/// The serving versions. A request loads them once, so that it never mixes versions.
#[derive(Debug, Clone)]
pub struct Serving {
    pub live: Arc<Version>,
    pub candidate: Option<Arc<Candidate>>,
    /// Set while the live version may be rolled back automatically.
    pub(super) probation: Option<Arc<Probation>>,
}

/// The probation of a new live version.
#[derive(Debug)]
pub(super) struct Probation {
    /// Decides in place of the new version where that fails.
    pub previous: Arc<Version>,
    until: Instant,
    pub failures: AtomicU64,
}

impl Serving {
    /// The version that serves a client.
    pub fn version_for(&self, client: Option<IpAddr>) -> &Arc<Version> {
        match &self.candidate {
            Some(candidate) if candidate.serves(client) => &candidate.version,
            Some(_) | None => &self.live,
        }
    }

    /// Whether the outcomes of a version's decisions are counted, because it is a candidate or on probation.
    pub fn is_on_trial(&self, version: &Version) -> bool {
        self.probation.is_some() || version.number != self.live.number
    }

    /// The candidate, if it decides in shadow.
    pub fn shadow(&self) -> Option<&Arc<Candidate>> {
        self.candidate.as_ref().filter(|candidate| candidate.trial.stage == Stage::Shadow)
    }

    /// The version that decides where a new one fails: its predecessor.
    pub fn in_place_of(&self, version: &Version, now: Instant) -> Option<&Arc<Version>> {
        if version.number != self.live.number {
            return Some(&self.live);
        }
        self.probation.as_ref().filter(|probation| !probation.is_over(now)).map(|probation| &probation.previous)
    }
}

impl Probation {
    /// None: the configuration disables automatic rollback.
    pub fn begin(previous: &Arc<Version>, config: &ReleaseConfig, now: Instant) -> Option<Arc<Probation>> {
        if config.rollback_failures == 0 || config.rollback_window.is_zero() {
            return None;
        }
        let until = now.checked_add(config.rollback_window).unwrap_or_else(|| {
            // No clock reaches that instant: a day is enough.
            now + Duration::from_secs(86_400)
        });
        Some(Arc::new(Probation { previous: previous.clone(), until, failures: AtomicU64::new(0) }))
    }

    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }
}
