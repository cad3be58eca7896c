//! What may change while the proxy serves: the configuration, as SIGHUP and the admin API have it read again, and the
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

use crate::credentials::Credentials;
use crate::health::CheckedGroup;
use crate::metrics::Metrics;
use crate::release::{Asked, Origin, Publisher, Refused, Released};
use crate::server::StartError;
use crate::server::changes::{Changes, FailedReload, RefusedFiles, ReloadError};
use crate::server::renewed::Renewed;
use crate::server::tenants::{self, Reloaded};
use crate::tenant::Tenant;

/// Tenants by what they claimed, as requests find them.
pub type Routes = Arc<ArcSwap<TenantTable<Arc<Tenant>>>>;

/// The parts of a running proxy that change.
pub struct Control {
    pub publisher: Publisher,
    pub metrics: Arc<Metrics>,
    /// None: the configuration came from nowhere that could be read again.
    file: Option<PathBuf>,
    /// What is other than in that file.
    adapt: fn(&mut Config),
    /// What is in force. Held while another one is put in its place.
    config: Mutex<Config>,
    /// Instances that tenants may keep, since the start.
    room: usize,
    /// Why the configuration was not read again, newest last.
    failures: Mutex<VecDeque<FailedReload>>,
    own: Arc<OwnAddresses>,
    routes: Routes,
    tenants: ArcSwap<BTreeMap<String, Arc<Tenant>>>,
    runtime: Handle,
    frozen: AtomicBool,
    changing: RwLock<()>,
    renewed: Renewed,
}

/// Something changes.
pub type Changing<'c> = RwLockReadGuard<'c, ()>;

/// Nothing may change now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the program is being upgraded, or ends: try again in a moment")]
pub struct Frozen;

/// Failed reloads that are kept.
const FAILURES: usize = 10;

/// There is no tenant of this name.
#[derive(Debug, thiserror::Error)]
#[error("no tenant is called `{0}`")]
pub struct NoTenant(pub String);

/// What a proxy starts with.
pub struct Beginning {
    pub publisher: Publisher,
    pub metrics: Arc<Metrics>,
    pub file: Option<PathBuf>,
    pub adapt: fn(&mut Config),
    pub config: Config,
    pub own: Arc<OwnAddresses>,
    pub tenants: Vec<Arc<Tenant>>,
    pub runtime: Handle,
    pub renewed: Renewed,
}

impl Control {
    pub fn new(beginning: Beginning) -> Control {
        let Beginning { publisher, metrics, file, adapt, config, own, tenants, runtime, renewed } = beginning;
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

    /// Where the configuration is read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> Arc<BTreeMap<String, Arc<Tenant>>> {
        self.tenants.load_full()
    }

    /// Lets no change begin any more, or again: while another process takes this one's place, which reads what there
    /// is, and while this one ends.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    /// Waits for the changes that have begun.
    pub fn settle(&self) {
        drop(self.changing.write());
    }

    /// To be held while something changes.
    pub fn change(&self) -> Result<Changing<'_>, Frozen> {
        // Recursive: one that waits for all changes must not come between a change and a part of it.
        let changing = self.changing.read_recursive();
        match self.frozen.load(Ordering::SeqCst) {
            false => Ok(changing),
            true => Err(Frozen),
        }
    }

    /// Failed reloads, newest last.
    pub fn failures(&self) -> Vec<FailedReload> {
        self.failures.lock().iter().cloned().collect()
    }

    /// Reads the configuration's files, all credentials and certificates again, and puts them in force: all of it or
    /// nothing. Tenants that are as they were are not touched, unless a module file changed.
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
                // A tenant that went meanwhile has nothing to release.
                Ok(Ok(Released::Nothing | Released::Tests(_))) | Err(NoTenant(_)) => {}
                Ok(Err(refused)) => changes.refused.push(RefusedFiles {
                    tenant: name.clone(),
                    step: refused.step.name(),
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

    /// Looks at a tenant's files, and makes a version of what is new.
    pub fn release_files(&self, name: &str, asked: Asked) -> Result<Result<Released, Arc<Refused>>, NoTenant> {
        self.alone(name, |tenant| self.publisher.release_files(tenant, Origin::File, asked))
    }

    /// Does something that takes its time to a tenant's versions, while nobody else prepares one and its configuration
    /// stays as it is.
    pub fn alone<T>(&self, name: &str, act: impl FnOnce(&Tenant) -> T) -> Result<T, NoTenant> {
        loop {
            let tenant = self.tenant(name)?;
            let _preparing = tenant.releases.preparing.lock();
            // While it was waited, another configuration may have made another tenant of it.
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
        let renewed = Renewed::read(&new).map_err(ReloadError::Files)?;
        let around = tenants::surroundings(&new, &credentials, &self.own, &self.metrics);
        let before = self.tenants();
        // No version of a tenant is made from here on that is not as it was, until it has its new configuration.
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

        // From here on nothing fails.
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

    /// What is due with time alone; to be called about every second.
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

    /// Brings metrics up to date that are not counted as they happen.
    pub fn refresh_metrics(&self) {
        self.tenants().values().for_each(|tenant| tenant.refresh_metrics());
    }

    fn watch_health(&self, group: &Arc<CheckedGroup>) {
        self.runtime.spawn(CheckedGroup::check(Arc::downgrade(group)));
    }
}

/// What a new configuration makes of a tenant.
enum Change {
    None(Arc<Tenant>),
    /// With a new version of its modules, if it needs one.
    Config(Arc<Tenant>, Option<Reloaded>),
    New(Arc<Tenant>),
}

/// Whether modules loaded for one configuration would not do for the other.
fn needs_modules(before: &TenantConfig, now: &TenantConfig) -> bool {
    before.modules != now.modules
        || before.limits != now.limits
        || before.instance_calls != now.instance_calls
        || before.rewind != now.rewind
}

/// The sections that differ and can't be changed by a running proxy.
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
