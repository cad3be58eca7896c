//! A tenant that decides offline: of a configuration, or one that a single module makes up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use ipnet::{Ipv4Net, Ipv6Net};
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{
    self, BreakerConfig, Config, Fallback, Grants, HostPattern, Matching, ModuleConfig, Quota, ReleaseConfig, Share,
    TenantConfig, TenantLimits, Warm,
};
use pointsman_rules::text::chain;
use pointsman_wasm::module::{LoadError, Loader, Module, read};
use serde_json::Value;

use crate::api::Origin;
use crate::cli::user_cache;
use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::release::warm_up;
use crate::tenant::{Modules, Tenant, TenantDeps};
use crate::versions::Version;

/// The options that say whose modules a command works on.
#[derive(Debug, clap::Args)]
pub struct TenantOptions {
    /// Take tenants, modules and limits from this configuration
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.toml", conflicts_with = "module")]
    pub config: PathBuf,
    /// Take this module alone, with default limits and every grant
    #[arg(short, long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// The configuration of `--module`, as JSON
    #[arg(long, value_name = "JSON", requires = "module", default_value = "{}")]
    module_config: String,
}

/// What the options name.
pub enum Named {
    Config(Box<Config>),
    Module(Box<TenantSetup>),
}

impl TenantOptions {
    /// `name` is that of the tenant that `--module` makes up. The inner error is for the user.
    pub fn load(&self, name: &str) -> anyhow::Result<Result<Named, String>> {
        if let Some(module) = &self.module {
            let setup = TenantSetup::of_module(name, module, &self.module_config)?;
            return Ok(Ok(Named::Module(Box::new(setup))));
        }
        let config = config::load(&self.config);
        Ok(config.map(|config| Named::Config(Box::new(config))).map_err(|errors| errors.to_string()))
    }
}

/// The folder of a file that is named by a path, which may be its name alone.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A tenant's configuration, and what its decisions depend on.
#[derive(Clone)]
pub struct TenantSetup {
    pub config: TenantConfig,
    credentials: Credentials,
    own: Arc<OwnAddresses>,
}

/// The modules of a tenant, loaded.
pub struct OfflineTenant {
    setup: TenantSetup,
    loader: Loader,
    pub modules: Vec<Module>,
}

impl TenantSetup {
    /// A tenant with this module, all hostnames, default limits and every grant.
    fn of_module(name: &str, path: &Path, config: &str) -> anyhow::Result<TenantSetup> {
        Ok(TenantSetup {
            config: tenant_of_module(name, path, config)?,
            credentials: Credentials::default(),
            own: Arc::default(),
        })
    }

    /// A tenant of a configuration, with the credentials of all. The addresses of the proxy itself are known as far as
    /// the configuration names them. The error is for the user.
    pub fn of_config(config: &Config, tenant: &TenantConfig) -> Result<TenantSetup, String> {
        Ok(TenantSetup {
            config: tenant.clone(),
            credentials: Credentials::load(&config.credentials).map_err(|error| chain(&error))?,
            own: Arc::new(OwnAddresses::new(config.addresses(), Vec::new()).with_sockets(config.sockets())),
        })
    }

    /// Loads the modules. The inner error is for the user: a module is refused.
    pub fn load(self) -> anyhow::Result<Result<OfflineTenant, String>> {
        let loader = user_cache::loader()?;
        let mut modules = Vec::new();
        for module in &self.config.modules {
            let load = |bytes: Vec<u8>| {
                let warm_up = warm_up(module, bytes.len());
                loader.load_warm(&bytes, module.config.clone(), &self.config.limits, warm_up.as_ref())
            };
            match read(&module.path).and_then(load) {
                Ok(loaded) => modules.push(loaded),
                Err(error) => return Ok(Err(format!("module `{}`: {}", module.path.display(), chain(&error)))),
            }
        }
        Ok(Ok(OfflineTenant { setup: self, loader, modules }))
    }
}

impl OfflineTenant {
    pub fn config(&self) -> &TenantConfig {
        &self.setup.config
    }

    /// One of the modules with another configuration.
    pub fn reconfigure(&self, module: &Module, config: &Value) -> Result<Module, LoadError> {
        self.loader.load_again(module, config.clone(), &self.setup.config.limits, None)
    }

    /// The tenant, with stores that are new. The inner error is for the user.
    pub fn tenant(&self) -> anyhow::Result<Result<Tenant, String>> {
        let TenantSetup { config, credentials, own, .. } = &self.setup;
        let metrics = Metrics::new()?;
        let deps = TenantDeps { credentials, own, metrics: &metrics, threads: 1, share: Share::ALL };
        let live = Version::new(1, self.modules.clone(), Origin::Start);
        let tenant = Tenant::new(config, Modules { live, fallback: Vec::new() }, deps);
        Ok(tenant.map_err(|error| format!("tenant `{}`: {}", config.name, chain(&error))))
    }
}

/// The configuration of a tenant with this module, all hostnames, default limits and every grant.
pub fn tenant_of_module(name: &str, path: &Path, config: &str) -> anyhow::Result<TenantConfig> {
    let config = serde_json::from_str(config).context("--module-config is not valid JSON")?;
    Ok(TenantConfig {
        name: name.to_owned(),
        matching: Matching { hostnames: vec![HostPattern::Any], sni: Vec::new(), listeners: Vec::new() },
        modules: vec![ModuleConfig { path: path.to_owned(), config, warm: Warm::default() }],
        instance_calls: TenantConfig::INSTANCE_CALLS,
        rewind: TenantConfig::REWIND,
        limits: TenantLimits::default(),
        quota: Quota::default(),
        breaker: BreakerConfig::default(),
        upstream: Default::default(),
        failure: Fallback::default(),
        groups: Vec::new(),
        release: ReleaseConfig::default(),
        grants: Grants {
            verify_chain_only: true,
            verify_none: true,
            bind_to: true,
            networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
            ports: (1..=u16::MAX).collect(),
            unix_sockets: vec!["/".to_owned()],
            credentials: Vec::new(),
        },
    })
}
