//! From a configuration to its tenants, with their modules loaded, on all cores.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{Config, ModuleConfig, Share, TenantConfig};
use pointsman_system::in_parallel::in_parallel;
use pointsman_wasm::module::{LoadError, Module};

use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::release::{Asked, LastServed, Origin, Publisher, Refused, Source, Tests, Version};
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

/// What is the proxy's own: `listeners`, on any of this machine's addresses, and the Unix sockets of its configuration.
pub fn own_addresses(listeners: Vec<SocketAddr>, config: &Config) -> Arc<OwnAddresses> {
    Arc::new(OwnAddresses::new(listeners, machine_addresses()).with_sockets(config.sockets()))
}

/// A tenant that was not there before. It goes on with the versions that served it last; what its files are now, if
/// that is something else, is a new version. Without such versions the files serve.
pub fn first(
    publisher: &Publisher,
    config: &TenantConfig,
    around: Surroundings<'_>,
) -> Result<Tenant, Vec<StartError>> {
    let fallback = load_all(publisher, config, &config.failure.modules)?.0;
    let of_tenant = |source| vec![StartError::Tenant { tenant: config.name.clone(), source }];
    let mut lost = None;
    if let Some(kept) = publisher.kept(&config.name).map_err(|error| vec![error.into()])? {
        match publisher.last_served(config, &kept) {
            Ok(LastServed { live, rest }) => {
                let tenant = Tenant::new(config, Modules { live, fallback }, around).map_err(of_tenant)?;
                publisher.go_on(&tenant, kept, rest);
                // What is refused is logged, and listed by the admin API.
                let _ = publisher.release_files(&tenant, Origin::Start, Asked::ByOrder);
                return Ok(tenant);
            }
            Err(error) => {
                let why = pointsman_rules::text::chain(&error);
                if publisher.refuses(&error) {
                    return Err(vec![StartError::Release { tenant: config.name.clone(), message: why }]);
                }
                tracing::error!(tenant = %config.name, why, "what served last cannot be loaded; the files serve");
                lost = Some((kept, why));
            }
        }
    }
    let (modules, sources) = load_all(publisher, config, &config.modules)?;
    let number = lost.as_ref().map_or(1, |(kept, _)| kept.last_number.saturating_add(1));
    let live = Version::new(number, modules, Origin::Start);
    let tenant = Tenant::new(config, Modules { live, fallback }, around).map_err(of_tenant)?;
    let tests = publisher.tests(config).map_err(|refused| vec![of_release(config, &refused)])?;
    let live = tenant.releases.live();
    publisher.test(&tenant, &tests, &live.modules).map_err(|refused| vec![of_release(config, &refused)])?;
    if let Some((kept, why)) = lost {
        tenant.releases.remember(kept, &why);
    }
    publisher.keep_first(&tenant, &sources, &tests);
    Ok(tenant)
}

/// The modules of a list and what they were made of, or what is wrong with each.
pub fn load_all(
    publisher: &Publisher,
    config: &TenantConfig,
    modules: &[ModuleConfig],
) -> Result<(Vec<Module>, Vec<Source>), Vec<StartError>> {
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
pub struct Reloaded {
    pub modules: Vec<Module>,
    pub sources: Vec<Source>,
    pub tests: Vec<Option<Tests>>,
}

/// Where a file is the one that passed last, what serves now is loaded again: it may have been uploaded, or gone back
/// to. Everything else comes from the files.
pub fn load_again(publisher: &Publisher, tenant: &Tenant, config: &TenantConfig) -> Result<Reloaded, Vec<StartError>> {
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
    if errors.is_empty() { Ok(Reloaded { modules, sources, tests }) } else { Err(errors) }
}

pub fn of_release(config: &TenantConfig, refused: &Refused) -> StartError {
    StartError::Release { tenant: config.name.clone(), message: refused.to_string() }
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
