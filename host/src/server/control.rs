//! The parts of a proxy that change while it serves: the configuration, which SIGHUP and the admin API reload, and the
//! versions of its tenants' modules.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono::Utc;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{self, Config, TenantConfig};
use pointsman_rules::tenant_lookup::TenantTable;
use tokio::runtime::Handle;

use crate::api::{Changes, Origin, RefusedFiles};
use crate::credentials::Credentials;
use crate::health::CheckedGroup;
use crate::metrics::Metrics;
use crate::release::{Asked, Refused, ReleaseManager, Released};
use crate::server::StartError;
use crate::server::changes::{FailedReload, ReloadError};
use crate::server::renewed::ReloadableFiles;
use crate::server::tenants::{self, Reloaded};
use crate::tenant::Tenant;

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
    renewed: ReloadableFiles,
}

/// A guard for a change in progress.
pub type Changing<'c> = RwLockReadGuard<'c, ()>;

/// Changes are not allowed at the moment.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the program is being upgraded, or ends: try again in a moment")]
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
    pub renewed: ReloadableFiles,
}

impl Control {
    pub fn new(beginning: ControlParts) -> Control {
        let ControlParts { publisher, metrics, file, adapt, config, own, tenants, runtime, renewed } = beginning;
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
            renewed,
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
        let read = || {
            changing.as_ref().map_err(|frozen| *frozen)?;
            let file = self.file.as_ref().ok_or(ReloadError::NoFile)?;
            let mut new = config::load(file).map_err(ReloadError::Config)?;
            (self.adapt)(&mut new);
            self.apply(new)
        };
        let mut changes = match read() {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!(%error, "configuration not reloaded; the old one stays in force");
                self.metrics.reload("refused");
                let mut failures = self.failures.lock();
                failures.push_back(FailedReload { at: Utc::now(), message: error.to_string() });
                if failures.len() > FAILURES {
                    failures.pop_front();
                }
                return Err(error);
            }
        };
        for name in self.tenants().keys() {
            match self.release_files(name, Asked::ByOrder) {
                Ok(Ok(Released::Version(_))) => changes.released.push(name.clone()),
                // A tenant that was removed meanwhile has nothing to release.
                Ok(Ok(Released::Nothing | Released::Tests(_))) | Err(NoTenant(_)) => {}
                Ok(Err(refused)) => changes.refused.push(RefusedFiles {
                    tenant: name.clone(),
                    step: refused.step,
                    message: refused.to_string(),
                }),
            }
        }
        let Changes { added, changed, removed, unchanged, released, refused } = &changes;
        let refused: Vec<&str> = refused.iter().map(|refused| refused.tenant.as_str()).collect();
        tracing::info!(?added, ?changed, ?removed, unchanged, ?released, ?refused, "configuration reloaded");
        self.metrics.reload("done");
        Ok(changes)
    }

    /// Checks a tenant's files, and releases a version if they are new.
    pub fn release_files(&self, name: &str, asked: Asked) -> Result<Result<Released, Arc<Refused>>, NoTenant> {
        self.alone(name, |tenant| self.publisher.release_files(tenant, Origin::File, asked))
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

    fn apply(&self, new: Config) -> Result<Changes, ReloadError> {
        let mut config = self.config.lock();
        let sections = needs_restart(&config, &new);
        if !sections.is_empty() {
            return Err(ReloadError::NeedsRestart { sections });
        }
        let (wanted, room) = (tenants::kept_instances(&new), self.room);
        if wanted > room {
            return Err(ReloadError::Instances { wanted, room });
        }
        let credentials = Credentials::load(&new.credentials)?;
        let renewed = ReloadableFiles::read(&new).map_err(ReloadError::Files)?;
        let around = tenants::surroundings(&new, &credentials, &self.own, &self.metrics);
        let before = self.tenants();
        // From here on, a tenant whose configuration changes gets no new version until the change is in force.
        let changes = |tenant: &&Arc<Tenant>| {
            let config = new.tenants.iter().find(|config| config.name == *tenant.name);
            !config.is_some_and(|config| tenant.is_as(config, around.share))
        };
        let _preparing: Vec<_> =
            before.values().filter(changes).map(|tenant| tenant.releases.preparing.lock()).collect();
        let prepared =
            pointsman_system::in_parallel::in_parallel(&new.tenants, |config| -> Result<Change, Vec<StartError>> {
                match before.get(&config.name) {
                    Some(tenant) if tenant.is_as(config, around.share) => Ok(Change::None(tenant.clone())),
                    Some(tenant) => {
                        let fallback = tenants::load_all(&self.publisher, config, &config.failure.modules)?.0;
                        let modules = match needs_modules(&tenant.config, config) {
                            true => Some(tenants::load_again(&self.publisher, tenant, config)?),
                            false => None,
                        };
                        let failed = |source| vec![StartError::Tenant { tenant: config.name.clone(), source }];
                        let tenant = tenant.reconfigured(config, fallback, around).map_err(failed)?;
                        if let Some(Reloaded { modules, tests, .. }) = &modules {
                            let tested = self.publisher.test(&tenant, tests, modules);
                            tested.map_err(|refused| vec![tenants::of_release(config, &refused)])?;
                        }
                        Ok(Change::Config(Arc::new(tenant), modules))
                    }
                    None => Ok(Change::New(Arc::new(tenants::first(&self.publisher, config, around)?))),
                }
            });
        let (mut passed, mut errors) = (Vec::new(), Vec::<StartError>::new());
        for change in prepared {
            match change {
                Ok(change) => passed.push(change),
                Err(refused) => errors.extend(refused),
            }
        }
        if !errors.is_empty() {
            return Err(ReloadError::Tenants(errors));
        }

        // Nothing fails from here on.
        self.renewed.exchange(&renewed);
        let mut changes = Changes::default();
        let mut now = Vec::new();
        for change in passed {
            let tenant = match change {
                Change::None(tenant) => {
                    tenant.exchange_credentials(&credentials);
                    changes.unchanged = changes.unchanged.saturating_add(1);
                    tenant
                }
                Change::Config(tenant, modules) => {
                    if let Some(Reloaded { modules, sources, tests }) = modules {
                        self.publisher.take_configured(&tenant, modules, &sources, &tests);
                    }
                    changes.changed.push(tenant.name.to_string());
                    tenant
                }
                Change::New(tenant) => {
                    changes.added.push(tenant.name.to_string());
                    tenant
                }
            };
            for group in &tenant.groups {
                let known = before
                    .get(&*tenant.name)
                    .is_some_and(|before| before.groups.iter().any(|before| Arc::ptr_eq(before, group)));
                if !known {
                    self.watch_health(group);
                }
            }
            now.push(tenant);
        }
        let by_name = by_name(&now);
        changes.removed = before.keys().filter(|name| !by_name.contains_key(*name)).cloned().collect();
        self.tenants.store(Arc::new(by_name));
        self.routes.store(Arc::new(table(&now)));
        *config = new;
        Ok(changes)
    }

    /// Does the work that is due by time alone; to be called about every second.
    pub fn tick(&self) {
        let Ok(_changing) = self.change() else { return };
        let now = Instant::now();
        for tenant in self.tenants().values() {
            tenant.releases.tick(&tenant.config.release, now);
            if tenant.releases.is_to_be_kept() {
                self.publisher.keep_changed(tenant);
            }
        }
    }

    /// Updates the metrics that are not counted as events happen.
    pub fn refresh_metrics(&self) {
        self.tenants().values().for_each(|tenant| tenant.refresh_metrics());
    }

    fn watch_health(&self, group: &Arc<CheckedGroup>) {
        self.runtime.spawn(CheckedGroup::check(Arc::downgrade(group)));
    }
}

/// The effect of a new configuration on a tenant.
enum Change {
    None(Arc<Tenant>),
    /// Reconfigured, with a new version of its modules if it needs one.
    Config(Arc<Tenant>, Option<Reloaded>),
    New(Arc<Tenant>),
}

/// Whether modules loaded for one configuration cannot serve the other.
fn needs_modules(before: &TenantConfig, now: &TenantConfig) -> bool {
    before.modules != now.modules
        || before.limits != now.limits
        || before.instance_calls != now.instance_calls
        || before.rewind != now.rewind
}

/// The sections that differ and that a running proxy cannot change.
fn needs_restart(before: &Config, now: &Config) -> Vec<&'static str> {
    let sections = [
        ("`[proxy]`", before.proxy != now.proxy),
        ("`[log]`", before.log != now.log),
        ("`[resolver]`", before.resolver != now.resolver),
        ("`[admin]`", before.admin != now.admin),
        ("`[[listener]]`", before.listeners != now.listeners),
    ];
    sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}

fn by_name(tenants: &[Arc<Tenant>]) -> BTreeMap<String, Arc<Tenant>> {
    tenants.iter().map(|tenant| (tenant.name.to_string(), tenant.clone())).collect()
}

fn table(tenants: &[Arc<Tenant>]) -> TenantTable<Arc<Tenant>> {
    TenantTable::new(tenants.iter().map(|tenant| (&tenant.config.matching, tenant.clone())))
}
