//! From a configuration to its tenants, with their modules loaded, on all cores.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::check::OwnAddresses;
use crate::config::{Config, ModuleConfig, Share, TenantConfig};
use crate::credentials::Credentials;
use crate::in_parallel::in_parallel;
use crate::metrics::Metrics;
use crate::module::{Loader, Module};
use crate::server::StartError;
use crate::tenant::{Modules, Surroundings, Tenant};

/// Every tenant, or all that is wrong with it. `listeners` are the proxy's own.
pub fn load(
    loader: &Loader,
    config: &Config,
    credentials: &Credentials,
    listeners: Vec<SocketAddr>,
    metrics: &Metrics,
) -> Vec<Result<Tenant, Vec<StartError>>> {
    let own = Arc::new(OwnAddresses::new(listeners, machine_addresses()));
    let share = if config.tenants.len() > 1 { Share::AMONG_OTHERS } else { Share::ALL };
    let around = Surroundings { credentials, own: &own, metrics, threads: config.proxy.threads, share };
    in_parallel(&config.tenants, |config| tenant(loader, config, around))
}

/// Instances that tenants may keep to decide again: one for each thread, of each of their modules.
pub fn kept_instances(config: &Config) -> usize {
    let keeping = config.tenants.iter().filter(|tenant| tenant.instance_calls > 1);
    let modules: usize = keeping.map(|tenant| tenant.modules.len() + tenant.failure.modules.len()).sum();
    modules.saturating_mul(config.proxy.threads)
}

fn tenant(loader: &Loader, config: &TenantConfig, around: Surroundings<'_>) -> Result<Tenant, Vec<StartError>> {
    let mut errors = Vec::new();
    let mut load_all = |modules: &[ModuleConfig]| {
        let mut loaded = Vec::new();
        for module in modules {
            match load_module(loader, config, module) {
                Ok(module) => loaded.push(module),
                Err(error) => errors.push(error),
            }
        }
        loaded
    };
    let modules = Modules { live: load_all(&config.modules), fallback: load_all(&config.failure.modules) };
    match Tenant::new(config, modules, around) {
        Ok(tenant) if errors.is_empty() => Ok(tenant),
        Ok(_) => Err(errors),
        Err(source) => {
            errors.push(StartError::Tenant { tenant: config.name.clone(), source });
            Err(errors)
        }
    }
}

fn load_module(loader: &Loader, tenant: &TenantConfig, module: &ModuleConfig) -> Result<Module, StartError> {
    let refused = |source| StartError::Module { tenant: tenant.name.clone(), path: module.path.clone(), source };
    let loaded = loader.load_file(&module.path, module.config.clone(), &tenant.limits).map_err(refused)?;
    Ok(loaded.with_instance_calls(tenant.instance_calls))
}

/// What this machine's interfaces have now.
fn machine_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.collect()
}
