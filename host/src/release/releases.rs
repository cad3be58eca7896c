//! The versions of one tenant: which one serves, which one is on trial, and which ones did.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::Utc;
use parking_lot::{Mutex, MutexGuard};

use crate::config::{ReleaseConfig, Stage};
use crate::metrics::TenantMetrics;
use crate::module::{Digest, Module};
use crate::release::candidate::Verdict;
use crate::release::history::{FailedRelease, History};
use crate::release::{Candidate, CandidateReport, Entry, Origin, Refused, Standing, Version};

/// A tenant's versions.
#[derive(Debug)]
pub struct Releases {
    tenant: Arc<str>,
    serving: ArcSwap<Serving>,
    history: Mutex<History>,
    metrics: Arc<TenantMetrics>,
    /// Digests of the module files, as they were last seen.
    files: Mutex<Vec<Digest>>,
    /// The version that the next start would find.
    kept: AtomicU64,
    /// Held while a new version is prepared: one after the other, in the order in which they come.
    pub preparing: Mutex<()>,
}

/// What serves now. A request takes it once, so that it never mixes versions.
#[derive(Debug)]
pub struct Serving {
    pub live: Arc<Version>,
    pub candidate: Option<Arc<Candidate>>,
    /// For as long as the live version may be taken back by itself.
    probation: Option<Arc<Probation>>,
}

#[derive(Debug)]
struct Probation {
    previous: Arc<Version>,
    until: Instant,
    failures: AtomicU64,
}

/// There is nothing to promote or to abort.
#[derive(Debug, thiserror::Error)]
#[error("there is no candidate; `pointsman admin show TENANT` shows what there is")]
pub struct NoCandidate;

/// A version that can't be gone back to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CannotRollBack {
    #[error("there is no earlier version that served well")]
    NoPrevious,
    #[error("version {0} is not in the history; `pointsman admin show TENANT` lists what can be gone back to")]
    Unknown(u64),
    #[error("version {0} is live")]
    IsLive(u64),
}

impl Serving {
    /// The version that serves a client.
    pub fn version_for(&self, client: Option<IpAddr>) -> &Arc<Version> {
        match &self.candidate {
            Some(candidate) if candidate.serves(client) => &candidate.version,
            Some(_) | None => &self.live,
        }
    }

    /// Whether it matters how a version's decisions go.
    pub fn is_on_trial(&self, version: &Version) -> bool {
        self.probation.is_some() || version.number != self.live.number
    }

    /// The candidate, if it is to decide beside the live version.
    pub fn shadow(&self) -> Option<&Arc<Candidate>> {
        self.candidate.as_ref().filter(|candidate| candidate.stage == Stage::Shadow)
    }

    /// What serves where a version fails that is new: the one before it.
    pub fn in_place_of(&self, version: &Version, now: Instant) -> Option<&Arc<Version>> {
        if version.number != self.live.number {
            return Some(&self.live);
        }
        self.probation.as_ref().filter(|probation| now < probation.until).map(|probation| &probation.previous)
    }
}

impl Releases {
    /// The first version of a tenant.
    pub fn new(tenant: Arc<str>, modules: Vec<Module>, first: (Origin, u64), metrics: Arc<TenantMetrics>) -> Releases {
        let (origin, number) = first;
        let version = Arc::new(Version::new(number, modules, origin));
        let mut history = History::default();
        history.go_on_from(number);
        history.set(&version, Standing::Live);
        version.keep_instances(true);
        metrics.version(version.number, version.digests());
        let serving = Serving { live: version, candidate: None, probation: None };
        let serving = ArcSwap::from_pointee(serving);
        let (history, files, kept) = (Mutex::new(history), Mutex::default(), AtomicU64::new(0));
        Releases { tenant, serving, history, metrics, files, kept, preparing: Mutex::default() }
    }

    /// What serves now.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    pub fn live(&self) -> Arc<Version> {
        self.serving.load().live.clone()
    }

    /// Notes what the files are now. Tells whether that is new.
    pub fn files_are_new(&self, now: Vec<Digest>) -> bool {
        let mut files = self.files.lock();
        let new = *files != now;
        *files = now;
        new
    }

    pub fn files(&self) -> Vec<Digest> {
        self.files.lock().clone()
    }

    pub fn kept(&self, number: u64) {
        self.kept.store(number, Ordering::Relaxed);
    }

    /// Whether the next start would find another version than the live one.
    pub fn is_to_be_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed) != self.live().number
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.history.lock().entries().to_vec()
    }

    pub fn failures(&self) -> Vec<FailedRelease> {
        self.history.lock().failures().cloned().collect()
    }

    pub fn candidate(&self) -> Option<CandidateReport> {
        self.serving.load().candidate.as_ref().map(|candidate| candidate.report())
    }

    /// Notes a version that did not pass.
    pub fn refuse(&self, origin: Origin, refused: Arc<Refused>) {
        tracing::error!(tenant = %self.tenant, origin = origin.name(), step = refused.step.name(), error = %refused,
            "a new version is refused; the live one goes on serving");
        self.metrics.release("refused");
        self.history.lock().failed(FailedRelease { at: Utc::now(), origin, refused });
    }

    /// Takes a version that passed, as far as `stage`.
    pub fn take(&self, modules: Vec<Module>, origin: Origin, stage: Stage, config: &ReleaseConfig) -> Arc<Version> {
        let mut history = self.history.lock();
        let version = Arc::new(Version::new(history.next_number(), modules, origin));
        let because = format!("replaced by version {}", version.number);
        self.drop_candidate(&mut history, &because);
        match stage {
            Stage::Live => self.go_live(&mut history, &version, config),
            Stage::Shadow | Stage::Canary => self.try_out(&mut history, &version, stage, config),
        }
        version
    }

    /// Lets the candidate go one stage on.
    pub fn promote(&self, to: Option<Stage>, because: &str, config: &ReleaseConfig) -> Result<Stage, NoCandidate> {
        let mut history = self.history.lock();
        let candidate = self.serving.load().candidate.clone().ok_or(NoCandidate)?;
        let next = match candidate.stage {
            Stage::Shadow if config.canary_percent > 0 => Stage::Canary,
            Stage::Shadow | Stage::Canary | Stage::Live => Stage::Live,
        };
        let next = to.unwrap_or(next);
        tracing::info!(tenant = %self.tenant, version = candidate.version.number, stage = next.name(), because, "promoted");
        match next {
            Stage::Live => self.go_live(&mut history, &candidate.version, config),
            Stage::Shadow | Stage::Canary => self.try_out(&mut history, &candidate.version, next, config),
        }
        Ok(next)
    }

    /// Ends the candidate's trial.
    pub fn abort(&self, because: &str) -> Result<(), NoCandidate> {
        let mut history = self.history.lock();
        if self.drop_candidate(&mut history, because) { Ok(()) } else { Err(NoCandidate) }
    }

    /// Goes back to a version: the last that served well, or this one.
    pub fn roll_back(
        &self,
        to: Option<u64>,
        because: &str,
        config: &ReleaseConfig,
    ) -> Result<Arc<Version>, CannotRollBack> {
        let mut history = self.history.lock();
        self.roll_back_in(&mut history, to, because, config)
    }

    fn roll_back_in(
        &self,
        history: &mut MutexGuard<'_, History>,
        to: Option<u64>,
        because: &str,
        config: &ReleaseConfig,
    ) -> Result<Arc<Version>, CannotRollBack> {
        let live = self.live();
        let version = match to {
            Some(number) if number == live.number => return Err(CannotRollBack::IsLive(number)),
            Some(number) => history.version(number).cloned().ok_or(CannotRollBack::Unknown(number))?,
            None => history.previous().cloned().ok_or(CannotRollBack::NoPrevious)?,
        };
        tracing::warn!(tenant = %self.tenant, from = live.number, to = version.number, because, "rolled back");
        self.drop_candidate(history, &format!("rolled back to version {}", version.number));
        history.set(&live, Standing::RolledBack { because: because.to_owned() });
        live.keep_instances(false);
        self.swap(history, version.clone(), None, None, config);
        Ok(version)
    }

    /// Counts a decision of a version, and draws the conclusions.
    pub fn note(&self, serving: &Serving, version: &Version, failure: Option<&str>, config: &ReleaseConfig) {
        if let Some(candidate) = serving.candidate.as_ref().filter(|tried| tried.version.number == version.number) {
            match failure {
                Some(_) => candidate.failed(),
                None => candidate.agreed(),
            }
            self.judge(candidate, config, Instant::now());
            return;
        }
        let (Some(failure), Some(probation)) = (failure, &serving.probation) else { return };
        if version.number != serving.live.number || Instant::now() >= probation.until {
            return;
        }
        let failures = probation.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < config.rollback_failures {
            return;
        }
        let mut history = self.history.lock();
        if self.live().number != version.number {
            return;
        }
        let because = format!("{failures} decisions failed (release.rollback_failures), the last: {failure}");
        if self.roll_back_in(&mut history, Some(probation.previous.number), &because, config).is_ok() {
            self.metrics.release("rolled-back");
        }
    }

    /// What the counts of a candidate call for, now.
    pub fn judge(&self, candidate: &Arc<Candidate>, config: &ReleaseConfig, now: Instant) {
        let verdict = candidate.verdict(config, now);
        if verdict == Verdict::GoOn {
            return;
        }
        // Many see the same counts; the first one acts on them.
        let is_current = |serving: &Serving| serving.candidate.as_ref().is_some_and(|now| Arc::ptr_eq(now, candidate));
        if !is_current(&self.serving.load()) {
            return;
        }
        let done = match verdict {
            Verdict::GoOn => Ok(()),
            Verdict::Promote { because } => self.promote(None, &because, config).map(|_| ()),
            Verdict::Abort { because } => self.abort(&because),
        };
        // Another one acted in between.
        let _ = done;
    }

    /// What is due with time alone.
    pub fn tick(&self, config: &ReleaseConfig, now: Instant) {
        let serving = self.serving.load();
        if let Some(candidate) = &serving.candidate {
            self.judge(candidate, config, now);
        }
        if serving.probation.as_ref().is_some_and(|probation| now >= probation.until) {
            let mut history = self.history.lock();
            let serving = self.serving.load();
            if serving.probation.as_ref().is_some_and(|probation| now >= probation.until) {
                let (live, candidate) = (serving.live.clone(), serving.candidate.clone());
                self.swap(&mut history, live, candidate, None, config);
            }
        }
    }

    fn go_live(&self, history: &mut MutexGuard<'_, History>, version: &Arc<Version>, config: &ReleaseConfig) {
        let previous = self.live();
        history.set(&previous, Standing::Replaced);
        previous.keep_instances(false);
        let probation = (config.rollback_failures > 0 && !config.rollback_window.is_zero()).then(|| {
            let until = Instant::now().checked_add(config.rollback_window).unwrap_or_else(|| {
                // No clock reaches it: a day will do.
                Instant::now() + Duration::from_secs(86_400)
            });
            Arc::new(Probation { previous: previous.clone(), until, failures: AtomicU64::new(0) })
        });
        tracing::info!(tenant = %self.tenant, version = version.number, origin = version.origin.name(),
            modules = ?version.modules, "live");
        self.swap(history, version.clone(), None, probation, config);
    }

    fn try_out(
        &self,
        history: &mut MutexGuard<'_, History>,
        version: &Arc<Version>,
        stage: Stage,
        config: &ReleaseConfig,
    ) {
        history.set(version, Standing::Candidate);
        tracing::info!(tenant = %self.tenant, version = version.number, stage = stage.name(), "candidate");
        let candidate = Arc::new(Candidate::new(version.clone(), stage, config, Instant::now()));
        let serving = self.serving.load();
        let (live, probation) = (serving.live.clone(), serving.probation.clone());
        self.swap(history, live, Some(candidate), probation, config);
    }

    fn drop_candidate(&self, history: &mut MutexGuard<'_, History>, because: &str) -> bool {
        let serving = self.serving.load();
        let Some(candidate) = &serving.candidate else { return false };
        tracing::warn!(tenant = %self.tenant, version = candidate.version.number, because, "candidate aborted");
        history.set(&candidate.version, Standing::Aborted { because: because.to_owned() });
        candidate.version.keep_instances(false);
        let (live, probation) = (serving.live.clone(), serving.probation.clone());
        self.serving.store(Arc::new(Serving { live, candidate: None, probation }));
        true
    }

    /// The one place where what serves is replaced by something else that serves.
    fn swap(
        &self,
        history: &mut MutexGuard<'_, History>,
        live: Arc<Version>,
        candidate: Option<Arc<Candidate>>,
        probation: Option<Arc<Probation>>,
        config: &ReleaseConfig,
    ) {
        history.set_live(&live);
        live.keep_instances(true);
        self.metrics.version(live.number, live.digests());
        self.serving.store(Arc::new(Serving { live, candidate, probation }));
        history.keep(config.history);
    }
}
