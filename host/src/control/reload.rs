//! A reload of the configuration, in phases. Each is a value that the next one takes, so that none is left out or done
//! twice; nothing changes before the last, which cannot fail:
//!
//! | phase | then |
//! |---|---|
//! | [`NewConfig`] | the file is a configuration |
//! | [`ApplicableConfig`] | a running proxy can change to it, and the files that it names can be used |
//! | [`BuiltTenants`] | its tenants have their modules, which pass their tests |
//! | [`Changes`] | it is in force |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::MutexGuard;
use pointsman_rules::config::{self, Config, TenantConfig};
use pointsman_system::in_parallel::in_parallel;

use crate::api::Changes;
use crate::control::tenants::{self, ReloadedModules};
use crate::control::{Control, PrepareError, ReloadError, ReloadableFiles};
use crate::credentials::Credentials;
use crate::tenant::{Tenant, TenantDeps};

/// The running configuration and its tenants.
#[derive(Clone, Copy)]
pub struct InForce<'c> {
    pub control: &'c Control,
    pub config: &'c Config,
    pub tenants: &'c BTreeMap<String, Arc<Tenant>>,
}

/// A configuration that was read.
pub struct NewConfig<'c> {
    before: InForce<'c>,
    new: Config,
}

/// A configuration that a running proxy can change to.
pub struct ApplicableConfig<'c> {
    read: NewConfig<'c>,
    credentials: Credentials,
    files: ReloadableFiles,
}

/// The tenants of a new configuration.
pub struct BuiltTenants<'c> {
    checked: ApplicableConfig<'c>,
    changes: Vec<Change>,
    /// Nobody else prepares a version of the tenants that change.
    _preparing: Vec<MutexGuard<'c, ()>>,
}

/// The effect of a new configuration on a tenant.
enum Change {
    None(Arc<Tenant>),
    /// Reconfigured, with a new version of its modules if it needs one.
    Config(Arc<Tenant>, Option<ReloadedModules>),
    New(Arc<Tenant>),
}

impl<'c> NewConfig<'c> {
    /// Reads the configuration's file again.
    pub fn new(before: InForce<'c>) -> Result<NewConfig<'c>, ReloadError> {
        let file = before.control.file().ok_or(ReloadError::NoFile)?;
        let mut new = config::load(file).map_err(ReloadError::Config)?;
        before.control.adapt(&mut new);
        Ok(NewConfig { before, new })
    }

    pub fn check(self) -> Result<ApplicableConfig<'c>, ReloadError> {
        let sections = needs_restart(self.before.config, &self.new);
        if !sections.is_empty() {
            return Err(ReloadError::NeedsRestart { sections });
        }
        let (wanted, room) = (tenants::kept_instances(&self.new), self.before.control.room());
        if wanted > room {
            return Err(ReloadError::Instances { wanted, room });
        }
        let credentials = Credentials::load(&self.new.credentials)?;
        let files = ReloadableFiles::read(&self.new).map_err(ReloadError::Files)?;
        Ok(ApplicableConfig { read: self, credentials, files })
    }
}

impl<'c> ApplicableConfig<'c> {
    /// Builds the tenants that are new or change. From here on, a tenant whose configuration changes gets no new
    /// version until the change is in force.
    pub fn build(self) -> Result<BuiltTenants<'c>, ReloadError> {
        let (InForce { control, tenants: before, .. }, new) = (self.read.before, &self.read.new);
        let around = control.deps(new, &self.credentials);
        let configs: BTreeMap<&str, &TenantConfig> =
            new.tenants.iter().map(|config| (config.name.as_str(), config)).collect();
        let changes = |tenant: &&Arc<Tenant>| {
            !configs.get(&*tenant.name).is_some_and(|config| tenant.is_as(config, around.share))
        };
        let preparing = before.values().filter(changes).map(|tenant| tenant.releases.preparing.lock()).collect();
        let built = in_parallel(&new.tenants, |config| match before.get(&config.name) {
            Some(tenant) if tenant.is_as(config, around.share) => Ok(Change::None(tenant.clone())),
            Some(tenant) => reconfigured(control, tenant, config, around),
            None => tenants::first(&control.publisher, config, around).map(|tenant| Change::New(Arc::new(tenant))),
        });
        let (mut changes, mut errors) = (Vec::new(), Vec::new());
        for change in built {
            match change {
                Ok(change) => changes.push(change),
                Err(refused) => errors.extend(refused),
            }
        }
        match errors.is_empty() {
            true => Ok(BuiltTenants { checked: self, changes, _preparing: preparing }),
            false => Err(ReloadError::Tenants(errors)),
        }
    }
}

/// A tenant under another configuration, with other modules if those that serve cannot.
fn reconfigured(
    control: &Control,
    tenant: &Tenant,
    config: &TenantConfig,
    around: TenantDeps<'_>,
) -> Result<Change, Vec<PrepareError>> {
    let publisher = &control.publisher;
    let fallback = tenants::load_all(publisher, config, &config.failure.modules)?.0;
    let modules = match needs_modules(&tenant.config, config) {
        true => Some(tenants::load_again(publisher, tenant, config)?),
        false => None,
    };
    let failed = |source| vec![PrepareError::Tenant { tenant: config.name.clone(), source }];
    let tenant = tenant.reconfigured(config, fallback, around).map_err(failed)?;
    if let Some(ReloadedModules { modules, tests, .. }) = &modules {
        let tested = publisher.test(&tenant, tests, modules);
        tested.map_err(|refused| vec![tenants::of_release(config, &refused)])?;
    }
    Ok(Change::Config(Arc::new(tenant), modules))
}

impl BuiltTenants<'_> {
    /// Puts the configuration in force, and returns it with what changed.
    pub fn swap(self) -> (Config, Changes) {
        let ApplicableConfig {
            read: NewConfig { before: InForce { control, tenants: before, .. }, new },
            credentials,
            files,
        } = self.checked;
        control.files().exchange(&files);
        let mut changes = Changes::default();
        let mut now = Vec::new();
        for change in self.changes {
            let tenant = change.applied(control, &credentials, &mut changes);
            for group in &tenant.groups {
                let known = before
                    .get(&*tenant.name)
                    .is_some_and(|before| before.groups.iter().any(|before| Arc::ptr_eq(before, group)));
                if !known {
                    control.watch_health(group);
                }
            }
            now.push(tenant);
        }
        let names: BTreeSet<&str> = now.iter().map(|tenant| &*tenant.name).collect();
        changes.removed = before.keys().filter(|name| !names.contains(name.as_str())).cloned().collect();
        control.route_to(&now);
        (new, changes)
    }
}

impl Change {
    /// Applies the change, and records it in `changes`.
    fn applied(self, control: &Control, credentials: &Credentials, changes: &mut Changes) -> Arc<Tenant> {
        match self {
            Change::None(tenant) => {
                tenant.exchange_credentials(credentials);
                changes.unchanged = changes.unchanged.saturating_add(1);
                tenant
            }
            Change::Config(tenant, modules) => {
                if let Some(ReloadedModules { modules, sources, tests }) = modules {
                    control.publisher.take_configured(&tenant, modules, &sources, &tests);
                }
                changes.changed.push(tenant.name.to_string());
                tenant
            }
            Change::New(tenant) => {
                changes.added.push(tenant.name.to_string());
                tenant
            }
        }
    }
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
