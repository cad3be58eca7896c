//! The versions of one tenant: the live one, the one on trial, and the earlier ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono::Utc;
use parking_lot::{Mutex, MutexGuard};
use pointsman_rules::config::{ReleaseConfig, Stage};
use pointsman_wasm::module::Module;

use crate::api::{self, Origin};
use crate::metrics::TenantMetrics;
use crate::versions::SavedState;
use crate::versions::candidate::Verdict;
use crate::versions::files::{Files, LastCheck};
use crate::versions::history::{FailedRelease, History};
use crate::versions::serving::Probation;
use crate::versions::{Candidate, Entry, ReleaseFailure, Serving, Trial, TrialOutcome, Version, VersionStatus};

/// A tenant's versions.
#[derive(Debug)]
pub struct VersionState {
    tenant: Arc<str>,
    serving: ArcSwap<Serving>,
    history: Mutex<History>,
    metrics: Arc<TenantMetrics>,
    pub(crate) last_check: Mutex<LastCheck>,
    /// The live version or the candidate differs from the state on disk.
    changed: AtomicBool,
    /// Held while a new version is prepared, and while the tenant gets another configuration: these run one at a time,
    /// in the order in which they arrive. May be held for as long as a build takes.
    pub preparing: Mutex<()>,
    /// Held while the serving version changes and is saved for the next start. Never for long.
    pub(crate) saving: Mutex<()>,
}

/// There is no candidate to promote or abort.
#[derive(Debug, thiserror::Error)]
#[error("there is no candidate; `pointsman admin show TENANT` lists the versions")]
pub struct NoCandidate;

/// A version that a tenant cannot be rolled back to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CannotRollBack {
    #[error("there is no earlier version that served well: `pointsman admin show TENANT` lists the versions")]
    NoPrevious,
    #[error("version {0} is not in the history; `pointsman admin show TENANT` lists what can be gone back to")]
    Unknown(u64),
    #[error("version {0} is live")]
    IsLive(u64),
    #[error("version {0} is on trial, and the live one serves well: abort the trial, or name the version")]
    OnTrial(u64),
    #[error("version {number} cannot be loaded again: {message}")]
    NotLoaded { number: u64, message: String },
}

impl VersionState {
    /// Starts a tenant with its first version.
    pub fn new(tenant: Arc<str>, live: Version, metrics: Arc<TenantMetrics>) -> VersionState {
        let live = Arc::new(live);
        let mut history = History::default();
        history.continue_from(live.number);
        history.set(&live, VersionStatus::Live);
        live.keep_instances(true);
        metrics.version(live.number, live.digests());
        VersionState {
            tenant,
            serving: ArcSwap::from_pointee(Serving { live, candidate: None, probation: None }),
            history: Mutex::new(history),
            metrics,
            last_check: Mutex::default(),
            changed: AtomicBool::new(true),
            preparing: Mutex::default(),
            saving: Mutex::default(),
        }
    }

    /// Continues where another process ended: with its history, its candidate, and the probation of a new live version.
    pub(crate) fn restore(
        &self,
        saved: SavedState,
        candidate: Option<(Version, Trial)>,
        previous: Option<Version>,
        config: &ReleaseConfig,
    ) {
        let (now, mut history) = (Instant::now(), self.history.lock());
        let is_to_be_written = saved.lacks_checksum;
        history.continue_from(saved.last_number);
        saved.versions.into_iter().for_each(|entry| history.remember(entry));
        self.last_check.lock().pass(saved.files);
        let mut serving = Serving::clone(&self.serving.load());
        if let Some((version, trial)) = candidate {
            let version = Arc::new(version);
            history.set(&version, VersionStatus::Candidate);
            serving.candidate = Some(Arc::new(Candidate::new(version, trial, self.metrics.clone(), now)));
        }
        if let Some(previous) = previous.map(Arc::new) {
            history.set(&previous, VersionStatus::Replaced);
            serving.probation = Probation::begin(&previous, config, now);
        }
        self.swap(&mut history, serving, config);
        self.changed.store(is_to_be_written, Ordering::Relaxed);
    }

    /// Takes over the history of a process whose live version cannot be loaded any more.
    pub fn remember(&self, saved: SavedState, why: &str) {
        let mut history = self.history.lock();
        for mut entry in saved.versions {
            entry.status = match entry.status {
                VersionStatus::Live => {
                    VersionStatus::RolledBack { reason: format!("it could not be loaded again: {why}") }
                }
                VersionStatus::Candidate => {
                    VersionStatus::Aborted { reason: "the live version could not be loaded".to_owned() }
                }
                other => other,
            };
            history.remember(entry);
        }
    }

    /// The digests of the files that passed last.
    pub fn passed_files(&self) -> Files {
        self.last_check.lock().passed().clone()
    }

    /// The state that the next start needs.
    pub(crate) fn state_to_save(&self, drained: bool) -> SavedState {
        let history = self.history.lock();
        let serving = self.serving.load();
        self.changed.store(false, Ordering::Relaxed);
        SavedState {
            last_number: history.last_number(),
            versions: history.entries().to_vec(),
            files: self.last_check.lock().passed().clone(),
            trial: serving.candidate.as_ref().map(|candidate| candidate.trial),
            probation_after: serving.probation.as_ref().map(|probation| probation.previous.number),
            drained,
            lacks_checksum: false,
        }
    }

    /// Whether the serving versions differ from the state on disk.
    pub fn is_unsaved(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_unsaved(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// The versions that serve now.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    pub fn live(&self) -> Arc<Version> {
        self.serving.load().live.clone()
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.history.lock().entries().to_vec()
    }

    pub fn failures(&self) -> Vec<FailedRelease> {
        self.history.lock().failures().cloned().collect()
    }

    pub fn candidate(&self) -> Option<api::Candidate> {
        self.serving.load().candidate.as_ref().map(|candidate| candidate.report())
    }

    /// Records a new version that was refused.
    pub fn refuse(&self, origin: Origin, refused: Arc<ReleaseFailure>) {
        tracing::error!(tenant = %self.tenant, origin = origin.name(), step = refused.step.name(), error = %refused,
            "a new version was refused; the live one still serves");
        self.metrics.release("refused");
        self.history.lock().failed(FailedRelease { at: Utc::now(), origin, refused });
    }

    /// Releases a version that passed, up to the stage that `trial` names.
    pub(crate) fn take(
        &self,
        modules: Vec<Module>,
        origin: Origin,
        trial: Trial,
        config: &ReleaseConfig,
    ) -> Arc<Version> {
        let mut history = self.history.lock();
        let version = Arc::new(Version::new(history.next_number(), modules, origin));
        let mut serving = Serving::clone(&self.serving.load());
        self.end_trial(&mut history, &mut serving, &format!("replaced by version {}", version.number));
        self.advance(&mut history, serving, &version, trial, config);
        version
    }

    /// Moves the candidate one stage on, or to the stage and share that are given.
    pub fn promote(
        &self,
        to: Option<Stage>,
        percent: Option<u32>,
        reason: &str,
        config: &ReleaseConfig,
    ) -> Result<Trial, NoCandidate> {
        let mut history = self.history.lock();
        let candidate = self.serving.load().candidate.clone().ok_or(NoCandidate)?;
        Ok(self.promote_in(&mut history, &candidate, (to, percent), reason, config))
    }

    fn promote_in(
        &self,
        history: &mut MutexGuard<'_, History>,
        candidate: &Candidate,
        (to, percent): (Option<Stage>, Option<u32>),
        reason: &str,
        config: &ReleaseConfig,
    ) -> Trial {
        let percent = percent.unwrap_or(config.canary_percent);
        let next = match candidate.trial.stage {
            Stage::Shadow if percent > 0 => Stage::Canary,
            Stage::Shadow | Stage::Canary | Stage::Live => Stage::Live,
        };
        let trial = Trial { stage: to.unwrap_or(next), percent };
        tracing::info!(tenant = %self.tenant, version = candidate.version.number, stage = trial.stage.name(), reason,
            "promoted");
        let serving = Serving { candidate: None, ..Serving::clone(&self.serving.load()) };
        self.advance(history, serving, &candidate.version, trial, config);
        trial
    }

    /// Aborts the candidate's trial.
    pub fn abort(&self, reason: &str, config: &ReleaseConfig) -> Result<(), NoCandidate> {
        let mut history = self.history.lock();
        let mut serving = Serving::clone(&self.serving.load());
        if !self.end_trial(&mut history, &mut serving, reason) {
            return Err(NoCandidate);
        }
        self.swap(&mut history, serving, config);
        Ok(())
    }

    /// The target of a rollback: version `to`, or else the last one that served without being rolled back.
    pub fn rollback_target(&self, to: Option<u64>) -> Result<Entry, CannotRollBack> {
        let history = self.history.lock();
        let serving = self.serving.load();
        let candidate = serving.candidate.as_ref().map(|candidate| candidate.version.number);
        match (to, candidate) {
            (Some(number), _) if number == serving.live.number => Err(CannotRollBack::IsLive(number)),
            (Some(number), Some(candidate)) if number == candidate => Err(CannotRollBack::OnTrial(number)),
            (Some(number), _) => history.entry(number).cloned().ok_or(CannotRollBack::Unknown(number)),
            (None, Some(candidate)) => Err(CannotRollBack::OnTrial(candidate)),
            (None, None) => history.previous().cloned().ok_or(CannotRollBack::NoPrevious),
        }
    }

    /// Rolls back to a version.
    pub fn roll_back(&self, version: &Arc<Version>, reason: &str, config: &ReleaseConfig) {
        self.roll_back_in(&mut self.history.lock(), version, reason, config);
    }

    fn roll_back_in(
        &self,
        history: &mut MutexGuard<'_, History>,
        version: &Arc<Version>,
        reason: &str,
        config: &ReleaseConfig,
    ) {
        let mut serving = Serving::clone(&self.serving.load());
        tracing::warn!(tenant = %self.tenant, from = serving.live.number, to = version.number, reason, "rolled back");
        self.end_trial(history, &mut serving, &format!("rolled back to version {}", version.number));
        history.set(&serving.live, VersionStatus::RolledBack { reason: reason.to_owned() });
        serving.live.keep_instances(false);
        self.swap(history, Serving { live: version.clone(), candidate: None, probation: None }, config);
    }

    /// Counts a decision of a version that is on trial or new, and promotes, aborts or rolls back accordingly. If the
    /// decision failed, `reason` is the failure.
    pub fn note(
        &self,
        serving: &Serving,
        version: &Version,
        outcome: TrialOutcome,
        reason: &str,
        config: &ReleaseConfig,
    ) {
        let is_failure = matches!(outcome, TrialOutcome::Failed);
        if let Some(candidate) = serving.candidate.as_ref().filter(|tried| tried.version.number == version.number) {
            candidate.count(outcome);
            self.judge(candidate, config, Instant::now());
            return;
        }
        let Some(probation) = serving.probation.as_ref().filter(|_| is_failure) else { return };
        if version.number != serving.live.number || probation.is_over(Instant::now()) {
            return;
        }
        let failures = probation.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < config.rollback_failures {
            return;
        }
        let mut history = self.history.lock();
        // Another decision or an operator may have changed the live version first.
        if self.live().number == version.number {
            let reason = format!("{failures} decisions failed (release.rollback_failures), the last: {reason}");
            self.roll_back_in(&mut history, &probation.previous, &reason, config);
            self.metrics.release("rolled-back");
        }
    }

    /// Promotes or aborts a candidate if its counters call for it now.
    pub fn judge(&self, candidate: &Arc<Candidate>, config: &ReleaseConfig, now: Instant) {
        let verdict = candidate.verdict(config, now);
        if verdict == Verdict::GoOn {
            return;
        }
        let mut history = self.history.lock();
        let mut serving = Serving::clone(&self.serving.load());
        // Several threads see the same counters; the first one acts on them.
        if !serving.candidate.as_ref().is_some_and(|current| Arc::ptr_eq(current, candidate)) {
            return;
        }
        match verdict {
            Verdict::GoOn => {}
            Verdict::Promote { reason } => {
                self.promote_in(&mut history, candidate, (None, None), &reason, config);
            }
            Verdict::Abort { reason } => {
                self.end_trial(&mut history, &mut serving, &reason);
                self.swap(&mut history, serving, config);
            }
        }
    }

    /// Does the work that is due by time alone.
    pub fn tick(&self, config: &ReleaseConfig, now: Instant) {
        if let Some(candidate) = &self.serving.load().candidate {
            self.judge(candidate, config, now);
        }
        let is_over = |serving: &Serving| serving.probation.as_ref().is_some_and(|probation| probation.is_over(now));
        if is_over(&self.serving.load()) {
            let mut history = self.history.lock();
            let serving = Serving::clone(&self.serving.load());
            if is_over(&serving) {
                self.swap(&mut history, Serving { probation: None, ..serving }, config);
            }
        }
    }

    /// Puts a version live or on trial, while no other trial is under way.
    fn advance(
        &self,
        history: &mut MutexGuard<'_, History>,
        serving: Serving,
        version: &Arc<Version>,
        trial: Trial,
        config: &ReleaseConfig,
    ) {
        let now = Instant::now();
        let serving = match trial.stage {
            Stage::Live => {
                history.set(&serving.live, VersionStatus::Replaced);
                serving.live.keep_instances(false);
                tracing::info!(tenant = %self.tenant, version = version.number, origin = version.origin.name(),
                    modules = ?version.modules, "live");
                self.metrics.release("live");
                let probation = Probation::begin(&serving.live, config, now);
                Serving { live: version.clone(), candidate: None, probation }
            }
            Stage::Shadow | Stage::Canary => {
                history.set(version, VersionStatus::Candidate);
                tracing::info!(tenant = %self.tenant, version = version.number, stage = trial.stage.name(), "on trial");
                let candidate = Candidate::new(version.clone(), trial, self.metrics.clone(), now);
                Serving { candidate: Some(Arc::new(candidate)), ..serving }
            }
        };
        self.swap(history, serving, config);
    }

    fn end_trial(&self, history: &mut MutexGuard<'_, History>, serving: &mut Serving, reason: &str) -> bool {
        let Some(candidate) = serving.candidate.take() else { return false };
        tracing::warn!(tenant = %self.tenant, version = candidate.version.number, reason, "trial ended");
        self.metrics.release("aborted");
        history.set(&candidate.version, VersionStatus::Aborted { reason: reason.to_owned() });
        candidate.version.keep_instances(false);
        true
    }

    /// The only place that replaces the serving versions.
    fn swap(&self, history: &mut MutexGuard<'_, History>, serving: Serving, config: &ReleaseConfig) {
        history.set(&serving.live, VersionStatus::Live);
        serving.live.keep_instances(true);
        self.metrics.version(serving.live.number, serving.live.digests());
        let needed = serving.probation.as_ref().map(|probation| probation.previous.number);
        self.serving.store(Arc::new(serving));
        history.keep(config.history, needed);
        self.changed.store(true, Ordering::Relaxed);
    }
}
