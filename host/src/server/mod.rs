//! Assembles the rooms and keeps them running: engine, modules, tenants, listeners, and a shutdown that waits for
//! requests in flight.
//!
//! Pingora's own `Server` sleeps through a fixed grace period before it exits, installs its own signal handlers and may
//! exit the process. This one drives Pingora's services itself, so that a shutdown ends as soon as the last request
//! does, and so that a test can run a whole proxy inside its own process.

mod changes;
pub mod control;
mod doors;
mod limits;
mod listen;
mod preflight;
mod renewed;
mod signals;
mod tenants;
mod upgrade;
mod watch;

pub use changes::{FailedReload, ReloadError};
pub use control::{ChangesFrozen, Control, NoTenant};
pub use listen::Listening;
pub use signals::{Order, Quit, Signals};
pub use upgrade::{HandOver, UpgradeError, end as end_predecessor};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pointsman_rules::config::{AdminConfig, Config};
use pointsman_system::memory::MemoryWatch;
use pointsman_wasm::engine::EngineError;
use pointsman_wasm::module::{BuildIn, CacheError, LoadError, Loader};
use rustix::process::Pid;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::admin::{Access, Admin};
use crate::credentials::{CredentialError, Credentials};
use crate::door::{Pending, Slots, TlsAcceptor, TlsError};
use crate::log::{AccessLogError, AccessLogger, Explain};
use crate::metrics::Metrics;
use crate::proxy::{Gauge, Parts, Proxy};
use crate::release::{OnDamage, ReleaseManager, Shadow, Store, StoreError};
use crate::resolve::{Resolver, ResolverError};
use crate::server::control::ControlParts;
use crate::server::doors::{Doors, Serving};
use crate::server::renewed::ReloadableFiles;
use crate::tenant::TenantError;

/// Why a proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("tenant `{tenant}`: module `{path}`: {source}")]
    Module { tenant: String, path: PathBuf, source: Box<LoadError> },
    #[error("listener `{name}`: cannot listen on {address}")]
    Listen { name: String, address: SocketAddr, source: std::io::Error },
    #[error("listener `{name}`: {source}")]
    Tls { name: String, source: TlsError },
    #[error("{}", changes::lines(.0))]
    Files(Vec<StartError>),
    #[error("tenant `{tenant}`: {source}")]
    Tenant { tenant: String, source: TenantError },
    #[error("tenant `{tenant}`: {message}")]
    Release { tenant: String, message: String },
    #[error("admin: cannot listen on {address}")]
    Admin { address: String, source: std::io::Error },
    #[error("admin.token_file: cannot use `{path}`: {message}")]
    Token { path: PathBuf, message: String },
    #[error("proxy.cache_dir `{path}`: {source}")]
    Cache { path: PathBuf, source: CacheError },
    #[error("proxy.state_dir: {0}")]
    State(#[from] StoreError),
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    #[error("proxy.ca_file: cannot use `{path}`: {message}")]
    CaFile { path: PathBuf, message: String },
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot start threads")]
    Threads { source: std::io::Error },
}

/// A running proxy. Dropping it stops it at once; `stop` waits for requests in flight.
pub struct Server {
    runtime: Option<Runtime>,
    services: Vec<JoinHandle<()>>,
    shutdown: tokio::sync::watch::Sender<bool>,
    in_flight: Gauge,
    access: AccessLogger,
    shutdown_timeout: Duration,
    control: Arc<Control>,
    listening: Vec<Listening>,
    upgrade_socket: Option<PathBuf>,
}

/// How long writing the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The parameters of a start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub config: Config,
    /// The file that the configuration came from, for reloads.
    pub file: Option<PathBuf>,
    pub build_in: BuildIn,
    /// For module authors: prints each decision on standard output, and watches the configuration too.
    pub dev: bool,
    /// Overrides applied to the file's configuration whenever it is read; `config` includes them already.
    pub adapt: fn(&mut Config),
    /// The running process whose listeners to take over, instead of opening new ones.
    pub takes_over: Option<Pid>,
}

impl Launch {
    /// A fresh start, by a program other than `pointsman` itself.
    pub fn new(config: Config) -> Launch {
        Launch { config, file: None, build_in: BuildIn::ThisProcess, dev: false, adapt: |_| {}, takes_over: None }
    }
}

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every request was served to its end.
    Clean,
    /// This many requests were still in flight at the deadline and were cut off.
    CutOff(usize),
}

/// Loads all modules, credentials and certificates of a configuration and runs all tests, as a start would. Returns all
/// errors.
pub fn check_files(config: &Config) -> Result<Vec<StartError>, StartError> {
    let loader = Loader::new(config.proxy.threads, tenants::kept_instances(config))?;
    let publisher = ReleaseManager::new(loader, None);
    let mut errors = preflight::refused(config, config.proxy.upgrade_socket.as_deref());
    match Credentials::load(&config.credentials) {
        Ok(credentials) => {
            let own = tenants::own_addresses(config.addresses(), config);
            let loaded = tenants::load(&publisher, config, &credentials, &own, &Metrics::new()?);
            errors.extend(loaded.into_iter().filter_map(Result::err).flatten());
        }
        Err(error) => errors.push(error.into()),
    }
    errors.extend(Resolver::new(&config.resolver).err().map(StartError::from));
    errors.extend(ReloadableFiles::read(config).err().into_iter().flatten());
    errors.extend(pingora_conf(config).err());
    Ok(errors)
}

/// Starts a proxy. On return it accepts connections, and nothing can fail any more.
pub fn start(launch: Launch) -> Result<Server, StartError> {
    let Launch { config, file, build_in, dev, adapt, takes_over } = launch;
    // A `dev` proxy is never upgraded.
    let upgrade_socket = config.proxy.upgrade_socket.clone().filter(|_| !dev);
    let refused = preflight::refused(&config, upgrade_socket.as_deref());
    if !refused.is_empty() {
        return Err(StartError::Files(refused));
    }
    let on_damage = if takes_over.is_some() { OnDamage::Refuse } else { OnDamage::UseFiles };
    let publisher = publisher(&config, build_in)?.on_damage(on_damage);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.proxy.threads)
        .thread_name("worker")
        .enable_all()
        .build()
        .map_err(|source| StartError::Threads { source })?;
    // A process that takes over gets its listeners once everything else is ready.
    let listening = match takes_over {
        Some(_) => None,
        None => Some(listen::all(&config, &runtime)?),
    };
    let addresses = match &listening {
        Some(listening) => listening.iter().map(|listening| listening.address).collect(),
        None => config.addresses(),
    };
    let own = tenants::own_addresses(addresses, &config);
    let metrics = Arc::new(Metrics::new()?);
    let credentials = Credentials::load(&config.credentials)?;
    let renewed = ReloadableFiles::read(&config).map_err(StartError::Files)?;
    let (certificates, access_to_admin) = (renewed.certificates.clone(), renewed.access.clone());
    let marks = config.proxy.watch.then(|| watch::marks(&config, file.as_deref().filter(|_| dev)));
    let (mut tenants, mut refused) = (Vec::new(), Vec::new());
    for loaded in tenants::load(&publisher, &config, &credentials, &own, &metrics) {
        match loaded {
            Ok(tenant) => tenants.push(Arc::new(tenant)),
            Err(errors) => refused.extend(errors),
        }
    }
    if let Some(error) = refused.into_iter().next() {
        return Err(error);
    }
    if takes_over.is_none() {
        publisher.sweep();
    }
    let access = AccessLogger::open(&config.log)?;
    let in_flight = Gauge::default();
    let memory = MemoryWatch::start(config.proxy.memory).map_err(|source| StartError::Threads { source })?;
    let resolver = Resolver::new(&config.resolver)?;
    let control = Arc::new(Control::new(ControlParts {
        publisher,
        metrics: metrics.clone(),
        file,
        adapt,
        config: config.clone(),
        own: own.clone(),
        tenants,
        runtime: runtime.handle().clone(),
        renewed,
    }));
    let proxy = Proxy::new(Parts {
        tenants: control.routes(),
        shadow: Shadow::start().map_err(|source| StartError::Threads { source })?,
        resolver,
        access: access.clone(),
        explain: dev.then(Explain::start),
        metrics: metrics.clone(),
        in_flight: in_flight.clone(),
        error_header: config.proxy.error_header,
        memory: memory.clone(),
    });
    let proxy = Arc::new(http_proxy(&pingora_conf(&config)?, proxy));
    let mut handshakes = Vec::new();
    for (listener, certificate) in config.listeners.iter().zip(certificates) {
        let refused = |source| StartError::Tls { name: listener.name.clone(), source };
        let acceptor = listener.tls.as_ref().zip(certificate);
        let acceptor = acceptor.map(|(tls, certificate)| TlsAcceptor::new(certificate, tls.handshake_timeout));
        handshakes.push(acceptor.transpose().map_err(refused)?);
    }
    let socket = config.admin.as_ref().and_then(|admin| admin.socket.as_deref());
    let admin_socket = socket.map(|path| listen::unix(path, takes_over.is_some(), &runtime)).transpose()?;
    let listening = match (listening, takes_over) {
        (Some(listening), _) => listening,
        (None, Some(from)) => upgrade::take_over(&config, from)?,
        (None, None) => Vec::new(),
    };
    own.found(listening.iter().map(|listening| listening.address).collect());

    let (shutdown, watch) = tokio::sync::watch::channel(false);
    let doors = Doors { config: &config, descriptors: limits::raise(), access: access.clone(), metrics, watch, memory };
    let slots = Slots::new(config.proxy.max_connections.unwrap_or(doors.descriptors.connections(&config)));
    let pending = Arc::new(Pending::default());
    let (mut services, mut sockets) = (Vec::<Serving>::new(), listening.iter());
    for ((listener, tls), listening) in config.listeners.iter().zip(handshakes).zip(&mut sockets) {
        let acceptor = listening.acceptor(&runtime)?;
        let door = doors.to(proxy.clone(), listener, tls, slots.clone(), pending.clone());
        services.push(Box::pin(door.run(acceptor)));
    }
    if let Some(access) = access_to_admin {
        let admin = Arc::new(Admin::new(control.clone(), access));
        for listening in sockets {
            let acceptor = listening.acceptor(&runtime)?;
            services.push(Box::pin(doors.to_admin(admin.clone()).run(acceptor)));
        }
    }
    watch::start(&control, marks, dev).map_err(|source| StartError::Threads { source })?;
    if let (Some(path), Some(socket)) = (socket, admin_socket) {
        let admin = Arc::new(Admin::new(control.clone(), Access::Full));
        // Last of all: if this process takes another one's place, that one loses its socket here.
        let acceptor = socket.name(&runtime)?;
        services.push(Box::pin(doors.to_admin(admin).run(acceptor)));
        own.listens_on(path);
    }
    let services = services.into_iter().map(|service| runtime.spawn(service)).collect();
    Ok(Server {
        services,
        runtime: Some(runtime),
        shutdown,
        in_flight,
        access,
        shutdown_timeout: config.proxy.shutdown_timeout,
        control,
        listening,
        upgrade_socket,
    })
}

/// The manager that prepares versions, with the configured folders.
fn publisher(config: &Config, build_in: BuildIn) -> Result<ReleaseManager, StartError> {
    let mut loader = Loader::new(config.proxy.threads, tenants::kept_instances(config))?.build_in(build_in);
    if let Some(path) = &config.proxy.cache_dir {
        let refused = |source| StartError::Cache { path: path.clone(), source };
        loader = loader.with_cache(path, config.proxy.cache_bytes).map_err(refused)?;
    }
    let store = config.proxy.state_dir.as_ref().map(|path| Store::open(path)).transpose()?;
    Ok(ReleaseManager::new(loader, store))
}

impl Server {
    /// Listeners by name, each with its actual address.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        let listeners = self.listening.iter().filter(|listening| listening.name != AdminConfig::LISTENER);
        listeners.map(|listening| (listening.name.as_str(), listening.address))
    }

    /// The admin listener's address, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        let admin = self.listening.iter().find(|listening| listening.name == AdminConfig::LISTENER);
        admin.map(|listening| listening.address)
    }

    /// Reopens the file of the access log.
    pub fn reopen_logs(&self) {
        self.access.reopen();
    }

    /// The parts that change while it serves.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The action that SIGQUIT requests of this proxy.
    pub fn on_quit(&self) -> Quit {
        if self.can_hand_over() { Quit::HandOver } else { Quit::Stop }
    }

    /// Whether another process can take this one's place.
    pub fn can_hand_over(&self) -> bool {
        self.upgrade_socket.is_some()
    }

    /// Its listeners, for the process that takes its place. This process goes on serving until it is stopped.
    pub fn hand_over(&self) -> Result<HandOver, UpgradeError> {
        HandOver::of(&self.listening, self.upgrade_socket.as_deref().ok_or(UpgradeError::NoSocket)?)
    }

    /// Stops accepting, and lets requests in flight end, for at most the configured time.
    pub fn stop(mut self) -> Stopped {
        let Some(runtime) = self.runtime.take() else { return Stopped::Clean };
        // A change from here on would be lost, or interfere with the process that takes this one's place.
        self.control.freeze(true);
        // Fails only if every listener has ended already.
        let _ = self.shutdown.send(true);
        // Otherwise the system would go on queueing connections that nobody accepts.
        self.listening.clear();
        let (services, in_flight) = (std::mem::take(&mut self.services), self.in_flight.clone());
        let drained = async move {
            for service in services {
                // A service has no result, and one that panicked has ended as well.
                let _ = service.await;
            }
            in_flight.drained().await;
        };
        let _ = runtime.block_on(async { tokio::time::timeout(self.shutdown_timeout, drained).await });
        let left = self.in_flight.requests();
        self.access.flush(LAST_LINES);
        runtime.shutdown_background();
        if left == 0 { Stopped::Clean } else { Stopped::CutOff(left) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not be dropped inside another one, and nobody waits for these tasks.
            runtime.shutdown_background();
        }
    }
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
