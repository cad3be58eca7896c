//! From a configuration to its tenants, with their modules loaded, on all cores.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::check::OwnAddresses;
use crate::config::{Config, ModuleConfig, Share, TenantConfig};
use crate::credentials::Credentials;
use crate::in_parallel::in_parallel;
use crate::metrics::Metrics;
use crate::module::{LoadError, Module};
use crate::release::{Origin, Publisher, Refused};
use crate::server::StartError;
use crate::tenant::{Modules, Surroundings, Tenant};

/// Every tenant, or all that is wrong with it.
pub fn load(
    publisher: &Publisher,
    config: &Config,
    credentials: &Credentials,
    own: &Arc<OwnAddresses>,
    metrics: &Metrics,
) -> Vec<Result<Tenant, Vec<StartError>>> {
    let around = surroundings(config, credentials, own, metrics);
    in_parallel(&config.tenants, |config| first(publisher, config, around))
}

pub fn surroundings<'a>(
    config: &Config,
    credentials: &'a Credentials,
    own: &'a Arc<OwnAddresses>,
    metrics: &'a Metrics,
) -> Surroundings<'a> {
    let share = if config.tenants.len() > 1 { Share::AMONG_OTHERS } else { Share::ALL };
    Surroundings { credentials, own, metrics, threads: config.proxy.threads, share }
}

/// Instances that tenants may keep to decide again: one for each thread, of each of their modules, and as many of a
/// candidate's.
pub fn kept_instances(config: &Config) -> usize {
    let keeping = config.tenants.iter().filter(|tenant| tenant.instance_calls > 1);
    let modules: usize = keeping.map(|tenant| tenant.modules.len() * 2 + tenant.failure.modules.len()).sum();
    modules.saturating_mul(config.proxy.threads)
}

/// What is the proxy's own: `listeners`, on any of this machine's addresses.
pub fn own_addresses(listeners: Vec<SocketAddr>) -> Arc<OwnAddresses> {
    Arc::new(OwnAddresses::new(listeners, machine_addresses()))
}

/// A tenant that was not there before: with the version that served it last, if its files are still the same, else with
/// what the files are now, or with that last version again if they are refused.
pub fn first(
    publisher: &Publisher,
    config: &TenantConfig,
    around: Surroundings<'_>,
) -> Result<Tenant, Vec<StartError>> {
    let fallback = load_all(publisher, config, &config.failure.modules)?;
    let of_tenant = |source| vec![StartError::Tenant { tenant: config.name.clone(), source }];
    let last = publisher.last_good(config);
    let files = publisher.file_digests(config);
    let files_before = last.as_ref().map(|(kept, _)| kept.files.as_slice());
    if let (Some((kept, live)), Ok(now)) = (&last, &files)
        && files_before
            .is_some_and(|before| before.iter().eq(&now.iter().map(|digest| digest.full()).collect::<Vec<_>>()))
    {
        let modules = Modules { live: live.clone(), fallback, origin: (Origin::State, kept.number) };
        let tenant = Tenant::new(config, modules, around).map_err(of_tenant)?;
        tenant.releases.files_are_new(now.clone());
        tenant.releases.kept(kept.number);
        return Ok(tenant);
    }
    let number = last.as_ref().map_or(1, |(kept, _)| kept.number.saturating_add(1));
    let (errors, refused) = match load_all(publisher, config, &config.modules) {
        Ok(live) => {
            let modules = Modules { live, fallback: fallback.clone(), origin: (Origin::Start, number) };
            let tenant = Tenant::new(config, modules, around).map_err(of_tenant)?;
            match publisher.test(&tenant, &tenant.releases.live().modules) {
                Ok(_) => {
                    tenant.releases.files_are_new(files.unwrap_or_default());
                    publisher.keep_first(&tenant);
                    return Ok(tenant);
                }
                Err(refused) => {
                    let error = StartError::Release { tenant: config.name.clone(), message: refused.to_string() };
                    (vec![error], Some(refused))
                }
            }
        }
        Err(errors) => (errors, None),
    };
    let Some((kept, live)) = last else { return Err(errors) };
    let modules = Modules { live, fallback, origin: (Origin::State, kept.number) };
    let tenant = Tenant::new(config, modules, around).map_err(of_tenant)?;
    tenant.releases.files_are_new(files.unwrap_or_default());
    tenant.releases.kept(kept.number);
    let refused = refused.unwrap_or_else(|| Refused::at_start(config, errors.first()));
    tenant.releases.refuse(Origin::Start, Arc::new(refused));
    Ok(tenant)
}

/// The modules of a list, or what is wrong with each.
pub fn load_all(
    publisher: &Publisher,
    config: &TenantConfig,
    modules: &[ModuleConfig],
) -> Result<Vec<Module>, Vec<StartError>> {
    let (mut loaded, mut errors) = (Vec::new(), Vec::new());
    for module in modules {
        match publisher.load(config, module) {
            Ok(module) => loaded.push(module),
            Err(error) => errors.push(refused(config, module, error)),
        }
    }
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

/// The modules of a tenant whose configuration changed: those that serve it now, where their paths are the same, else
/// what the files are.
pub fn load_again(
    publisher: &Publisher,
    tenant: &Tenant,
    config: &TenantConfig,
) -> Result<Vec<Module>, Vec<StartError>> {
    let (live, before) = (tenant.releases.live(), &tenant.config.modules);
    let (mut loaded, mut errors) = (Vec::new(), Vec::new());
    for (position, module) in config.modules.iter().enumerate() {
        let same_path = before.get(position).is_some_and(|before| before.path == module.path);
        let serves = live.modules.get(position).filter(|_| same_path);
        match serves.and_then(|serves| publisher.load_kept(config, module, serves.digest())) {
            Some(Ok(module)) => loaded.push(module),
            Some(Err(_)) | None => match publisher.load(config, module) {
                Ok(module) => loaded.push(module),
                Err(error) => errors.push(refused(config, module, error)),
            },
        }
    }
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

fn refused(config: &TenantConfig, module: &ModuleConfig, error: LoadError) -> StartError {
    StartError::Module { tenant: config.name.clone(), path: module.path.clone(), source: Box::new(error) }
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
