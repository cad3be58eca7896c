//! Creates the configured tenants and loads their modules, on all cores.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{Config, ModuleConfig, Share, TenantConfig};
use pointsman_system::in_parallel::in_parallel;
use pointsman_wasm::module::{LoadError, Module};

use crate::api::Origin;
use crate::control::PrepareError;
use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::release::{LastServed, ReleaseManager, Source, Tests};
use crate::tenant::{Modules, Tenant, TenantDeps};
use crate::versions::{CheckTrigger, ReleaseFailure, Version};

/// Loads all tenants. For each: the tenant, or all that is wrong with it.
pub fn load(
    publisher: &ReleaseManager,
    config: &Config,
    credentials: &Credentials,
    own: &Arc<OwnAddresses>,
    metrics: &Metrics,
) -> Vec<Result<Tenant, Vec<PrepareError>>> {
    let around = tenant_deps(config, credentials, own, metrics);
    in_parallel(&config.tenants, |config| first(publisher, config, around))
}

/// The dependencies of all tenants of a configuration.
pub fn tenant_deps<'a>(
    config: &Config,
    credentials: &'a Credentials,
    own: &'a Arc<OwnAddresses>,
    metrics: &'a Metrics,
) -> TenantDeps<'a> {
    let share = if config.tenants.len() > 1 { Share::AMONG_OTHERS } else { Share::ALL };
    TenantDeps { credentials, own, metrics, threads: config.proxy.threads, share }
}

/// Number of instances that tenants may keep for reuse: one for each thread of each of their modules, as many again for
/// candidates, and one for each thread of each fallback module.
pub fn kept_instances(config: &Config) -> usize {
    let keeping = config.tenants.iter().filter(|tenant| tenant.instance_calls > 1);
    let modules: usize = keeping.map(|tenant| tenant.modules.len() * 2 + tenant.failure.modules.len()).sum();
    modules.saturating_mul(config.proxy.threads)
}

/// The proxy's own addresses: `listeners`, on any address of this machine, and the Unix sockets of its configuration.
pub fn own_addresses(listeners: Vec<SocketAddr>, config: &Config) -> Arc<OwnAddresses> {
    Arc::new(OwnAddresses::new(listeners, machine_addresses()).with_sockets(config.sockets()))
}

/// Creates a tenant that did not exist before. It continues with the versions that served it last; files that differ
/// from those become a new version. Without such versions the files serve.
pub fn first(
    publisher: &ReleaseManager,
    config: &TenantConfig,
    around: TenantDeps<'_>,
) -> Result<Tenant, Vec<PrepareError>> {
    let fallback = load_all(publisher, config, &config.failure.modules)?.0;
    let of_tenant = |source| vec![PrepareError::Tenant { tenant: config.name.clone(), source }];
    let mut lost = None;
    if let Some(saved) = publisher.saved_state(&config.name).map_err(|error| vec![error.into()])? {
        match publisher.last_served(config, &saved) {
            Ok(LastServed { live, rest }) => {
                let tenant = Tenant::new(config, Modules { live, fallback }, around).map_err(of_tenant)?;
                publisher.restore(&tenant, saved, rest);
                // A refusal is logged, and the admin API lists it.
                let _ = publisher.release_files(&tenant, Origin::Start, CheckTrigger::Operator);
                return Ok(tenant);
            }
            Err(error) => {
                let why = pointsman_rules::text::chain(&error);
                if publisher.refuses(&error) {
                    return Err(vec![PrepareError::Release { tenant: config.name.clone(), message: why }]);
                }
                tracing::error!(
                    tenant = %config.name,
                    why,
                    "the version that served last cannot be loaded; the configured files serve"
                );
                lost = Some((saved, why));
            }
        }
    }
    let (modules, sources) = load_all(publisher, config, &config.modules)?;
    let number = lost.as_ref().map_or(1, |(saved, _)| saved.last_number.saturating_add(1));
    let live = Version::new(number, modules, Origin::Start);
    let tenant = Tenant::new(config, Modules { live, fallback }, around).map_err(of_tenant)?;
    let tests = publisher.tests(config).map_err(|refused| vec![of_release(config, &refused)])?;
    let live = tenant.releases.live();
    publisher.test(&tenant, &tests, &live.modules).map_err(|refused| vec![of_release(config, &refused)])?;
    if let Some((saved, why)) = lost {
        tenant.releases.remember(saved, &why);
    }
    publisher.save_first(&tenant, &sources, &tests);
    Ok(tenant)
}

/// Loads a list of modules and their sources, or returns what is wrong with each.
pub fn load_all(
    publisher: &ReleaseManager,
    config: &TenantConfig,
    modules: &[ModuleConfig],
) -> Result<(Vec<Module>, Vec<Source>), Vec<PrepareError>> {
    let (mut loaded, mut sources, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for module in modules {
        let built = Source::read(module)
            .and_then(|source| publisher.build(config, module, &source).map(|built| (built, source)));
        match built {
            Ok((module, source)) => {
                loaded.push(module);
                sources.push(source);
            }
            Err(error) => errors.push(refused(config, module, error)),
        }
    }
    if errors.is_empty() { Ok((loaded, sources)) } else { Err(errors) }
}

/// The modules of a tenant whose configuration changed, and its files.
pub struct ReloadedModules {
    pub modules: Vec<Module>,
    pub sources: Vec<Source>,
    pub tests: Vec<Option<Tests>>,
}

/// Where a file is the one that passed last, reloads the module that serves now, since that may have been uploaded or
/// rolled back to. All other modules come from the files.
pub fn load_again(
    publisher: &ReleaseManager,
    tenant: &Tenant,
    config: &TenantConfig,
) -> Result<ReloadedModules, Vec<PrepareError>> {
    let (live, before, passed) = (tenant.releases.live(), &tenant.config.modules, tenant.releases.passed_files());
    let (mut modules, mut sources, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (position, module) in config.modules.iter().enumerate() {
        let source = match Source::read(module) {
            Ok(source) => source,
            Err(error) => {
                errors.push(refused(config, module, error));
                continue;
            }
        };
        let is_same = before.get(position).is_some_and(|before| before.path == module.path)
            && passed.modules.get(position) == Some(&source.digest());
        let built = match live.modules.get(position).filter(|_| is_same) {
            Some(serves) => publisher.build_again(config, module, serves),
            None => publisher.build(config, module, &source),
        };
        match built {
            Ok(module) => modules.push(module),
            Err(error) => errors.push(refused(config, module, error)),
        }
        sources.push(source);
    }
    let tests = publisher.tests(config).map_err(|refused| vec![of_release(config, &refused)])?;
    if errors.is_empty() { Ok(ReloadedModules { modules, sources, tests }) } else { Err(errors) }
}

pub fn of_release(config: &TenantConfig, refused: &ReleaseFailure) -> PrepareError {
    PrepareError::Release { tenant: config.name.clone(), message: refused.to_string() }
}

fn refused(config: &TenantConfig, module: &ModuleConfig, error: LoadError) -> PrepareError {
    PrepareError::Module { tenant: config.name.clone(), path: module.path.clone(), source: Box::new(error) }
}

/// The current addresses of this machine's interfaces.
fn machine_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.collect()
}
