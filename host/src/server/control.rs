//! What may change while the proxy serves: the configuration, as SIGHUP and the admin API have it read again, and the
//! versions of its tenants' modules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::check::OwnAddresses;
use crate::config::{self, Config, ConfigErrors, TenantConfig};
use crate::credentials::{CredentialError, Credentials};
use crate::metrics::Metrics;
use crate::release::{Origin, Publisher};
use crate::server::{StartError, tenants};
use crate::stores::Group;
use crate::tenant::{Tenant, TenantTable};

/// Tenants by what they claimed, as requests find them.
pub type Routes = Arc<ArcSwap<TenantTable<Arc<Tenant>>>>;

/// The parts of a running proxy that change.
pub struct Control {
    pub publisher: Publisher,
    pub metrics: Arc<Metrics>,
    /// None: the configuration came from nowhere that could be read again.
    file: Option<PathBuf>,
    /// What is in force. Held while another one is put in its place.
    config: Mutex<Config>,
    own: Arc<OwnAddresses>,
    routes: Routes,
    tenants: ArcSwap<BTreeMap<String, Arc<Tenant>>>,
    runtime: Handle,
    frozen: AtomicBool,
}

/// A configuration that is not put in force. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("the configuration came from no file that could be read again")]
    NoFile,
    #[error(
        "{} changed, which a running proxy cannot change: restart it, or upgrade it without losing a connection \
         (docs/reload.md)", sections.join(", ")
    )]
    NeedsRestart { sections: Vec<&'static str> },
    #[error(
        "tenants with `instance_calls` would keep {wanted} instances, the proxy has room for {room} since its start: \
         restart it, or let fewer keep any"
    )]
    Instances { wanted: usize, room: usize },
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("{}", lines(.0))]
    Tenants(Vec<StartError>),
}

fn lines(errors: &[StartError]) -> String {
    errors.iter().map(|error| crate::text::chain(error)).collect::<Vec<_>>().join("\n")
}

/// What a new configuration changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: usize,
}

/// What a proxy starts with.
pub struct Beginning {
    pub publisher: Publisher,
    pub metrics: Arc<Metrics>,
    pub file: Option<PathBuf>,
    pub config: Config,
    pub own: Arc<OwnAddresses>,
    pub tenants: Vec<Arc<Tenant>>,
    pub runtime: Handle,
}

impl Control {
    pub fn new(beginning: Beginning) -> Control {
        let Beginning { publisher, metrics, file, config, own, tenants, runtime } = beginning;
        let control = Control {
            publisher,
            metrics,
            file,
            own,
            routes: Arc::new(ArcSwap::from_pointee(table(&tenants))),
            tenants: ArcSwap::from_pointee(by_name(&tenants)),
            config: Mutex::new(config),
            runtime,
            frozen: AtomicBool::new(false),
        };
        for group in tenants.iter().flat_map(|tenant| &tenant.stores.groups) {
            control.watch_health(group);
        }
        control
    }

    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Whether versions are to stay as they are: another process read the state and takes this one's place, or this one
    /// ends.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// Where the configuration is read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// All tenants, by name.
    pub fn tenants(&self) -> Arc<BTreeMap<String, Arc<Tenant>>> {
        self.tenants.load_full()
    }

    /// Reads the configuration's files and all credentials again, and puts them in force: all of it or nothing. Tenants
    /// that are as they were are not touched, unless a module file changed.
    pub fn reload(&self) -> Result<Changes, ReloadError> {
        let file = self.file.as_ref().ok_or(ReloadError::NoFile)?;
        let changes = self.apply(config::load(file).map_err(ReloadError::Config)?)?;
        for tenant in self.tenants().values() {
            // Refused ones are logged, and listed by the admin API.
            let _ = self.publisher.from_files(tenant, Origin::File);
        }
        Ok(changes)
    }

    fn apply(&self, new: Config) -> Result<Changes, ReloadError> {
        let mut config = self.config.lock();
        let sections = needs_restart(&config, &new);
        if !sections.is_empty() {
            return Err(ReloadError::NeedsRestart { sections });
        }
        let (wanted, room) = (tenants::kept_instances(&new), tenants::kept_instances(&config));
        if wanted > room {
            return Err(ReloadError::Instances { wanted, room });
        }
        let credentials = Credentials::load(&new.credentials)?;
        let around = tenants::surroundings(&new, &credentials, &self.own, &self.metrics);
        let before = self.tenants();
        let prepared = crate::in_parallel::in_parallel(&new.tenants, |config| -> Result<Change, Vec<StartError>> {
            match before.get(&config.name) {
                Some(tenant) if tenant.is_as(config, around.share) => Ok(Change::None(tenant.clone())),
                Some(tenant) => {
                    let fallback = tenants::load_all(&self.publisher, config, &config.failure.modules)?;
                    let modules = match needs_modules(&tenant.config, config) {
                        true => Some(tenants::load_again(&self.publisher, tenant, config)?),
                        false => None,
                    };
                    let failed = |source| vec![StartError::Tenant { tenant: config.name.clone(), source }];
                    let tenant = tenant.reconfigured(config, fallback, around).map_err(failed)?;
                    if let Some(modules) = &modules {
                        self.publisher.test(&tenant, modules).map_err(|refused| {
                            vec![StartError::Release { tenant: config.name.clone(), message: refused.to_string() }]
                        })?;
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
                    if let Some(modules) = modules {
                        self.publisher.take_configured(&tenant, modules);
                    }
                    changes.changed.push(tenant.name.to_string());
                    tenant
                }
                Change::New(tenant) => {
                    changes.added.push(tenant.name.to_string());
                    tenant
                }
            };
            for group in &tenant.stores.groups {
                let known = before
                    .get(&*tenant.name)
                    .is_some_and(|before| before.stores.groups.iter().any(|before| Arc::ptr_eq(before, group)));
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
        let now = Instant::now();
        for tenant in self.tenants().values() {
            tenant.releases.tick(&tenant.config.release, now);
            if tenant.releases.is_to_be_kept()
                && let Some(_one_at_a_time) = tenant.releases.preparing.try_lock()
            {
                self.publisher.keep(tenant);
            }
        }
    }

    /// Brings metrics up to date that are not counted as they happen.
    pub fn refresh_metrics(&self) {
        self.tenants().values().for_each(|tenant| tenant.refresh_metrics());
    }

    fn watch_health(&self, group: &Arc<Group>) {
        self.runtime.spawn(Group::check(Arc::downgrade(group)));
    }
}

/// What a new configuration makes of a tenant.
enum Change {
    None(Arc<Tenant>),
    /// With a new version of its modules, if it needs one.
    Config(Arc<Tenant>, Option<Vec<crate::module::Module>>),
    New(Arc<Tenant>),
}

/// Whether modules loaded for one configuration would not do for the other.
fn needs_modules(before: &TenantConfig, now: &TenantConfig) -> bool {
    before.modules != now.modules || before.limits != now.limits || before.instance_calls != now.instance_calls
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
