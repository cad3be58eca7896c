//! The changeable parts of a running proxy, and one change of them at a time.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono::Utc;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::Config;
use pointsman_rules::tenant_lookup::TenantTable;
use tokio::runtime::Handle;

use crate::api::{Changes, Origin, RefusedFiles};
use crate::control::reload::{InForce, NewConfig};
use crate::control::{FailedReload, ReloadError, ReloadableFiles, tenants};
use crate::credentials::Credentials;
use crate::health::CheckedGroup;
use crate::metrics::Metrics;
use crate::release::{ReleaseManager, ReleaseOutcome};
use crate::tenant::{Tenant, TenantDeps};
use crate::versions::{CheckTrigger, ReleaseFailure};

/// Tenants by the hostnames that they claim, for requests to look up.
pub type Routes = Arc<ArcSwap<TenantTable<Arc<Tenant>>>>;

/// The changeable parts of a running proxy.
pub struct Control {
    pub publisher: ReleaseManager,
    pub metrics: Arc<Metrics>,
    /// None: the configuration did not come from a file, so it cannot be reloaded.
    file: Option<PathBuf>,
    /// Overrides applied to the file's configuration whenever it is read.
    adapt: fn(&mut Config),
    /// The configuration in force. Locked while another one replaces it.
    config: Mutex<Config>,
    /// Number of instances that tenants may keep, fixed at the start.
    room: usize,
    /// Why reloads failed, newest last.
    failures: Mutex<VecDeque<FailedReload>>,
    own: Arc<OwnAddresses>,
    routes: Routes,
    tenants: ArcSwap<BTreeMap<String, Arc<Tenant>>>,
    runtime: Handle,
    frozen: AtomicBool,
    changing: RwLock<()>,
    files: ReloadableFiles,
}

/// A guard for a change in progress.
pub type Changing<'c> = RwLockReadGuard<'c, ()>;

/// Changes are not allowed at the moment.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the proxy is being upgraded or is shutting down: try again in a moment")]
pub struct ChangesFrozen;

/// Number of failed reloads that are kept.
const FAILURES: usize = 10;

/// There is no tenant of this name.
#[derive(Debug, thiserror::Error)]
#[error("no tenant is called `{0}`")]
pub struct NoTenant(pub String);

/// The parts from which a [`Control`] is made.
pub struct ControlParts {
    pub publisher: ReleaseManager,
    pub metrics: Arc<Metrics>,
    pub file: Option<PathBuf>,
    pub adapt: fn(&mut Config),
    pub config: Config,
    pub own: Arc<OwnAddresses>,
    pub tenants: Vec<Arc<Tenant>>,
    pub runtime: Handle,
    pub files: ReloadableFiles,
}

impl Control {
    pub fn new(parts: ControlParts) -> Control {
        let ControlParts { publisher, metrics, file, adapt, config, own, tenants, runtime, files } = parts;
        let control = Control {
            publisher,
            metrics,
            file,
            adapt,
            own,
            routes: Arc::new(ArcSwap::from_pointee(table(&tenants))),
            tenants: ArcSwap::from_pointee(by_name(&tenants)),
            room: tenants::kept_instances(&config),
            config: Mutex::new(config),
            failures: Mutex::default(),
            runtime,
            frozen: AtomicBool::new(false),
            changing: RwLock::default(),
            files,
        };
        for group in tenants.iter().flat_map(|tenant| &tenant.groups) {
            control.watch_health(group);
        }
        control
    }

    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// The file that the configuration is read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> Arc<BTreeMap<String, Arc<Tenant>>> {
        self.tenants.load_full()
    }

    /// Blocks new changes, or allows them again: while another process takes this one's place and reads the current
    /// state, and while this process ends.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    /// Waits for changes in progress.
    pub fn settle(&self) {
        drop(self.changing.write());
    }

    /// Begins a change, which lasts for as long as the result is held.
    pub fn change(&self) -> Result<Changing<'_>, ChangesFrozen> {
        // Recursive: a waiting `settle` must not come between a change and a part of it.
        let changing = self.changing.read_recursive();
        match self.frozen.load(Ordering::SeqCst) {
            false => Ok(changing),
            true => Err(ChangesFrozen),
        }
    }

    /// Failed reloads, newest last.
    pub fn failures(&self) -> Vec<FailedReload> {
        self.failures.lock().iter().cloned().collect()
    }

    /// Reloads the configuration's files, all credentials and certificates, and puts them in force: all of them or
    /// none. Unchanged tenants are not touched, unless a module file changed.
    pub fn reload(&self) -> Result<Changes, ReloadError> {
        let changing = self.change();
        let swapped = match &changing {
            Ok(_) => self.swap_config(),
            Err(frozen) => Err((*frozen).into()),
        };
        let changes = self.release_changed(swapped.inspect_err(|error| self.note_failure(error))?);
        let Changes { added, changed, removed, unchanged, released, refused } = &changes;
        let refused: Vec<&str> = refused.iter().map(|refused| refused.tenant.as_str()).collect();
        tracing::info!(?added, ?changed, ?removed, unchanged, ?released, ?refused, "configuration reloaded");
        self.metrics.reload("done");
        Ok(changes)
    }

    fn swap_config(&self) -> Result<Changes, ReloadError> {
        let mut config = self.config.lock();
        let tenants = self.tenants();
        let before = InForce { control: self, config: &config, tenants: &tenants };
        let (new, changes) = NewConfig::new(before)?.check()?.build()?.swap();
        *config = new;
        Ok(changes)
    }

    /// Releases the files of all tenants that are new, and adds what came of it.
    fn release_changed(&self, mut changes: Changes) -> Changes {
        for name in self.tenants().keys() {
            match self.release_files(name, CheckTrigger::Operator) {
                Ok(Ok(ReleaseOutcome::Version(_))) => changes.released.push(name.clone()),
                // A tenant that was removed meanwhile has nothing to release.
                Ok(Ok(ReleaseOutcome::Unchanged | ReleaseOutcome::Tests(_))) | Err(NoTenant(_)) => {}
                Ok(Err(refused)) => changes.refused.push(RefusedFiles {
                    tenant: name.clone(),
                    step: refused.step,
                    message: refused.to_string(),
                }),
            }
        }
        changes
    }

    fn note_failure(&self, error: &ReloadError) {
        tracing::error!(%error, "configuration not reloaded; the previous one is still in use");
        self.metrics.reload("refused");
        let mut failures = self.failures.lock();
        failures.push_back(FailedReload { at: Utc::now(), message: error.to_string() });
        if failures.len() > FAILURES {
            failures.pop_front();
        }
    }

    /// Checks a tenant's files, and releases a version if they are new.
    pub fn release_files(
        &self,
        name: &str,
        trigger: CheckTrigger,
    ) -> Result<Result<ReleaseOutcome, Arc<ReleaseFailure>>, NoTenant> {
        self.alone(name, |tenant| self.publisher.release_files(tenant, Origin::File, trigger))
    }

    /// Runs a slow operation on a tenant's versions, while nobody else prepares one and its configuration stays the
    /// same.
    pub fn alone<T>(&self, name: &str, act: impl FnOnce(&Tenant) -> T) -> Result<T, NoTenant> {
        loop {
            let tenant = self.tenant(name)?;
            let _preparing = tenant.releases.preparing.lock();
            // A reload may have replaced the tenant while this waited.
            let now = self.tenant(name)?;
            if Arc::ptr_eq(&now.releases, &tenant.releases) {
                return Ok(act(&now));
            }
        }
    }

    pub fn tenant(&self, name: &str) -> Result<Arc<Tenant>, NoTenant> {
        self.tenants.load().get(name).cloned().ok_or_else(|| NoTenant(name.to_owned()))
    }

    /// Does the work that is due by time alone; to be called about every second.
    pub fn tick(&self) {
        let Ok(_changing) = self.change() else { return };
        let now = Instant::now();
        for tenant in self.tenants().values() {
            tenant.releases.tick(&tenant.config.release, now);
            if tenant.releases.is_unsaved() {
                self.publisher.save_changed(tenant);
            }
        }
    }

    /// Updates the metrics that are not counted as events happen.
    pub fn refresh_metrics(&self) {
        self.tenants().values().for_each(|tenant| tenant.refresh_metrics());
    }

    /// The dependencies of a configuration's tenants.
    pub(super) fn deps<'a>(&'a self, config: &Config, credentials: &'a Credentials) -> TenantDeps<'a> {
        tenants::tenant_deps(config, credentials, &self.own, &self.metrics)
    }

    /// Sends requests to these tenants, and to no others.
    pub(super) fn route_to(&self, tenants: &[Arc<Tenant>]) {
        self.tenants.store(Arc::new(by_name(tenants)));
        self.routes.store(Arc::new(table(tenants)));
    }

    /// Applies the overrides to a configuration that was read.
    pub(super) fn adapt(&self, config: &mut Config) {
        (self.adapt)(config);
    }

    /// Number of instances that tenants may keep.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    pub(super) fn files(&self) -> &ReloadableFiles {
        &self.files
    }

    pub(super) fn watch_health(&self, group: &Arc<CheckedGroup>) {
        self.runtime.spawn(CheckedGroup::check(Arc::downgrade(group)));
    }
}

fn by_name(tenants: &[Arc<Tenant>]) -> BTreeMap<String, Arc<Tenant>> {
    tenants.iter().map(|tenant| (tenant.name.to_string(), tenant.clone())).collect()
}

fn table(tenants: &[Arc<Tenant>]) -> TenantTable<Arc<Tenant>> {
    TenantTable::new(tenants.iter().map(|tenant| (&tenant.config.matching, tenant.clone())))
}
