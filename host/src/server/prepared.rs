//! Everything that a configuration names, read and loaded: what a start puts in force, and what a check reports on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use pingora::server::configuration::ServerConf;
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::{Config, ProxyConfig};
use pointsman_wasm::module::Loader;

use crate::control::{self, ReloadableFiles};
use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::release::ReleaseManager;
use crate::resolve::Resolver;
use crate::server::{StartError, preflight};
use crate::tenant::Tenant;

/// The files that a configuration names, other than modules.
pub struct NamedFiles {
    pub credentials: Credentials,
    pub reloadable: ReloadableFiles,
    pub resolver: Resolver,
    pub conf: Arc<ServerConf>,
}

/// The tenants of a configuration, whose modules are built and tested.
pub struct PreparedTenants {
    pub tenants: Vec<Arc<Tenant>>,
    pub own: Arc<OwnAddresses>,
    pub metrics: Arc<Metrics>,
}

/// The same files, as far as they can be read, and what is wrong with the others.
struct ReadableFiles {
    credentials: Option<Credentials>,
    reloadable: Option<ReloadableFiles>,
    resolver: Option<Resolver>,
    conf: Option<Arc<ServerConf>>,
    errors: Vec<StartError>,
}

impl ReadableFiles {
    fn read(config: &Config) -> ReadableFiles {
        let mut errors = Vec::<StartError>::new();
        let credentials = Credentials::load(&config.credentials).map_err(|error| errors.push(error.into())).ok();
        let resolver = Resolver::new(&config.resolver).map_err(|error| errors.push(error.into())).ok();
        let reloadable = ReloadableFiles::read(config)
            .map_err(|refused| errors.extend(refused.into_iter().map(StartError::from)))
            .ok();
        let conf = pingora_conf(config).map_err(|error| errors.push(error)).ok();
        ReadableFiles { credentials, reloadable, resolver, conf, errors }
    }
}

impl NamedFiles {
    /// Reads the files, or returns all that is wrong with them.
    pub fn read(config: &Config) -> Result<NamedFiles, Vec<StartError>> {
        match ReadableFiles::read(config) {
            ReadableFiles {
                credentials: Some(credentials),
                reloadable: Some(reloadable),
                resolver: Some(resolver),
                conf: Some(conf),
                errors: _,
            } => Ok(NamedFiles { credentials, reloadable, resolver, conf }),
            ReadableFiles { errors, .. } => Err(errors),
        }
    }
}

impl PreparedTenants {
    /// Loads the tenants of a proxy whose listeners have these addresses, or returns all that is wrong with them.
    /// This changes the saved state, so whatever can be checked without the tenants is checked before.
    pub fn load(
        config: &Config,
        publisher: &ReleaseManager,
        credentials: &Credentials,
        listeners: Vec<SocketAddr>,
    ) -> Result<PreparedTenants, Vec<StartError>> {
        let metrics = Arc::new(Metrics::new().map_err(|error| vec![StartError::from(error)])?);
        let own = control::own_addresses(listeners, config);
        let (mut tenants, mut errors) = (Vec::new(), Vec::<StartError>::new());
        for loaded in control::load(publisher, config, credentials, &own, &metrics) {
            match loaded {
                Ok(tenant) => tenants.push(Arc::new(tenant)),
                Err(refused) => errors.extend(refused.into_iter().map(StartError::from)),
            }
        }
        if errors.is_empty() { Ok(PreparedTenants { tenants, own, metrics }) } else { Err(errors) }
    }
}

/// Loads all modules, credentials and certificates of a configuration and runs all tests, as a start would. Returns the
/// number of tests, or all that is wrong. Compiled modules are kept in `cache`, and not in the proxy's own folder: a
/// check changes nothing that a proxy may use.
pub fn check_files(config: &Config, cache: Option<&Path>) -> Result<Result<usize, Vec<StartError>>, StartError> {
    let mut loader = Loader::reading_debug_info(config.proxy.threads, control::kept_instances(config))?;
    let mut errors = preflight::refused(config, config.proxy.upgrade_socket.as_deref());
    if let Some(folder) = cache {
        let refused = |source| StartError::Cache { path: folder.to_owned(), source };
        loader = loader.with_cache(folder, ProxyConfig::CACHE_BYTES).map_err(refused)?;
    }
    let files = ReadableFiles::read(config);
    errors.extend(files.errors);
    let mut tests: usize = 0;
    // Without credentials there would be a further error for each peer that needs one.
    if let Some(credentials) = files.credentials {
        let publisher = ReleaseManager::new(loader, None);
        match PreparedTenants::load(config, &publisher, &credentials, config.addresses()) {
            Ok(_) => tests = config.tenants.iter().map(|tenant| publisher.count_tests(tenant)).sum(),
            Err(refused) => errors.extend(refused),
        }
    }
    Ok(if errors.is_empty() { Ok(tests) } else { Err(errors) })
}

fn pingora_conf(config: &Config) -> Result<Arc<ServerConf>, StartError> {
    let ca_file = match &config.proxy.ca_file {
        None => None,
        Some(path) => {
            let refused = |message: String| StartError::CaFile { path: path.clone(), message };
            // Pingora unwraps when it loads the file, so make sure that it can.
            let mut builder = openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls())
                .map_err(|error| refused(error.to_string()))?;
            builder.set_ca_file(path).map_err(|error| refused(error.to_string()))?;
            Some(path.to_str().ok_or_else(|| refused("its name is not UTF-8".to_owned()))?.to_owned())
        }
    };
    Ok(Arc::new(ServerConf {
        threads: config.proxy.threads,
        ca_file,
        // Pingora takes the size for each thread and makes one pool for all.
        upstream_keepalive_pool_size: config.proxy.idle_connections.div_ceil(config.proxy.threads.max(1)),
        // `retry` limits attempts for each request; this only has to be above its highest limit (16 attempts, each
        // with up to 4 addresses).
        max_retries: 128,
        ..ServerConf::default()
    }))
}
