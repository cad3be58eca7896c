//! Puts the rooms together and keeps them running: engine, modules, tenants, listeners, and an end that waits for the
//! requests in flight.
//!
//! Pingora's own `Server` sleeps through a fixed grace period before it exits, installs its own signal handlers and may
//! exit the process. This one drives Pingora's services itself, so that a shutdown ends as soon as the last request
//! does, and so that a test can run a whole proxy inside its own process.

mod tenants;

use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::proxy::http_proxy;
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::call::Ticker;
use crate::config::{Config, CredentialConfig, ListenerConfig};
use crate::credentials::{CredentialError, Credentials};
use crate::door::{Door, Listener, TlsError, tls_settings};
use crate::engine::EngineError;
use crate::log::AccessLogger;
use crate::metrics::{Metrics, Page};
use crate::module::{LoadError, Loader};
use crate::proxy::{Gauge, Proxy};
use crate::resolve::{Resolver, ResolverError};
use crate::tenant::{Tenant, TenantError, TenantTable};

/// A proxy that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("tenant `{tenant}`: module `{path}`: {source}")]
    Module { tenant: String, path: PathBuf, source: LoadError },
    #[error("listener `{name}`: cannot listen on {address}")]
    Listen { name: String, address: SocketAddr, source: std::io::Error },
    #[error("listener `{name}`: {source}")]
    Tls { name: String, source: TlsError },
    #[error("tenant `{tenant}`: {source}")]
    Tenant { tenant: String, source: TenantError },
    #[error("admin: cannot listen on {address}")]
    Admin { address: SocketAddr, source: std::io::Error },
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    #[error("proxy.ca_file: cannot use `{path}`: {message}")]
    CaFile { path: PathBuf, message: String },
    #[error("cannot open the access log")]
    AccessLog { source: std::io::Error },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot start threads")]
    Threads { source: std::io::Error },
}

/// A proxy that is running. Dropped, it stops at once; `stop` waits for requests in flight.
pub struct Server {
    addresses: Vec<(String, SocketAddr)>,
    admin: Option<SocketAddr>,
    runtime: Option<Runtime>,
    shutdown: watch::Sender<bool>,
    in_flight: Gauge,
    shutdown_timeout: Duration,
    credentials: Vec<CredentialConfig>,
    tenants: Vec<Arc<Tenant>>,
    _ticker: Ticker,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By SIGTERM, SIGQUIT or SIGINT.
    Stop { signal: &'static str },
    /// By SIGHUP.
    Reload,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every request was served to its end.
    Clean,
    /// This many requests were still in flight at the deadline and were cut off.
    CutOff(usize),
}

/// Loads every module, credential and certificate of a configuration, as a start would. All errors.
pub fn check_files(config: &Config) -> Result<Vec<StartError>, StartError> {
    let loader = Loader::new(config.proxy.threads, 0)?;
    let mut errors = Vec::new();
    match Credentials::load(&config.credentials) {
        Ok(credentials) => {
            let loaded = tenants::load(&loader, config, &credentials, config.addresses(), &Metrics::new()?);
            errors.extend(loaded.into_iter().filter_map(Result::err).flatten());
        }
        Err(error) => errors.push(error.into()),
    }
    errors.extend(Resolver::new(&config.resolver).err().map(StartError::from));
    for listener in &config.listeners {
        if let Some(tls) = &listener.tls
            && let Err(source) = tls_settings(tls)
        {
            errors.push(StartError::Tls { name: listener.name.clone(), source });
        }
    }
    Ok(errors)
}

/// Starts a proxy. On return it accepts connections.
pub fn start(config: &Config) -> Result<Server, StartError> {
    let loader = Loader::new(config.proxy.threads, tenants::kept_instances(config))?;
    let ticker = Ticker::start(loader.engine()).map_err(|source| StartError::Threads { source })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.proxy.threads)
        .thread_name("worker")
        .enable_all()
        .build()
        .map_err(|source| StartError::Threads { source })?;
    let listening = {
        let _inside = runtime.enter();
        let bind = |listener: &ListenerConfig| {
            let refused =
                |source| StartError::Listen { name: listener.name.clone(), address: listener.address, source };
            bind(listener.address).map_err(refused)
        };
        config.listeners.iter().map(bind).collect::<Result<Vec<_>, _>>()?
    };
    let admin = match &config.admin {
        Some(admin) => {
            let refused = |source| StartError::Admin { address: admin.address, source };
            Some(runtime.block_on(async { bind(admin.address) }).map_err(refused)?)
        }
        None => None,
    };
    let own = listening.iter().chain(&admin).map(|(_, address)| *address).collect();
    let metrics = Arc::new(Metrics::new()?);
    let credentials = Credentials::load(&config.credentials)?;
    let (mut tenants, mut refused) = (Vec::new(), Vec::new());
    for loaded in tenants::load(&loader, config, &credentials, own, &metrics) {
        match loaded {
            Ok(tenant) => tenants.push(Arc::new(tenant)),
            Err(errors) => refused.extend(errors),
        }
    }
    if let Some(error) = refused.into_iter().next() {
        return Err(error);
    }
    let claims = config.tenants.iter().map(|tenant| &tenant.matching).zip(tenants.iter().cloned());
    let table = TenantTable::new(claims);
    let access = AccessLogger::open(&config.log).map_err(|source| StartError::AccessLog { source })?;

    let in_flight = Gauge::default();
    let resolver = Resolver::new(&config.resolver)?;
    let proxy = Proxy::new(table, resolver, access, metrics.clone(), in_flight.clone(), config.proxy.error_header);
    let proxy = Arc::new(http_proxy(&pingora_conf(config)?, proxy));

    for tenant in &tenants {
        for index in 0..tenant.stores.groups.len() {
            let stores = tenant.stores.clone();
            runtime.spawn(async move {
                if let Some(group) = stores.groups.get(index) {
                    group.check().await;
                }
            });
        }
    }

    let (shutdown, watch) = watch::channel(false);
    let mut addresses = Vec::new();
    for (listener, (socket, address)) in config.listeners.iter().zip(listening) {
        let door = Door::new(Arc::new(Listener::new(listener)), proxy.clone());
        let mut service = Service::new(listener.name.clone(), door);
        match &listener.tls {
            None => service.add_tcp(&address.to_string()),
            Some(tls) => {
                let settings =
                    tls_settings(tls).map_err(|source| StartError::Tls { name: listener.name.clone(), source })?;
                service.add_tls_with_settings(&address.to_string(), None, settings);
            }
        }
        serve(&runtime, service, socket, address, &watch);
        addresses.push((listener.name.clone(), address));
    }
    let admin_address = admin.as_ref().map(|(_, address)| *address);
    if let Some((socket, address)) = admin {
        let of_breakers = tenants.clone();
        let refresh = move || of_breakers.iter().for_each(|tenant| tenant.refresh_metrics());
        let mut service = Service::new("admin".to_owned(), Page::new(metrics, refresh));
        service.add_tcp(&address.to_string());
        serve(&runtime, service, socket, address, &watch);
    }
    Ok(Server {
        addresses,
        admin: admin_address,
        runtime: Some(runtime),
        shutdown,
        in_flight,
        shutdown_timeout: config.proxy.shutdown_timeout,
        credentials: config.credentials.clone(),
        tenants,
        _ticker: ticker,
    })
}

impl Server {
    /// Listeners by name, with the address that each really has.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The admin listener's address, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Takes over SIGTERM, SIGQUIT, SIGINT and SIGHUP; the result waits for the next one.
    pub fn signals(&self) -> std::io::Result<impl FnMut() -> Order + use<>> {
        let runtime = self.runtime.as_ref().map(Runtime::handle).cloned().ok_or(std::io::ErrorKind::NotConnected)?;
        let _inside = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let runtime = runtime.clone();
        Ok(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => Order::Stop { signal: "SIGTERM" },
                    _ = quit.recv() => Order::Stop { signal: "SIGQUIT" },
                    _ = interrupt.recv() => Order::Stop { signal: "SIGINT" },
                    _ = hang_up.recv() => Order::Reload,
                }
            })
        })
    }

    /// Reads the files of all credentials again. Requests that come from now on use them; if any can't be used, all
    /// stay as they are.
    pub fn reload_credentials(&self) -> Result<(), CredentialError> {
        let credentials = Credentials::load(&self.credentials)?;
        for tenant in &self.tenants {
            tenant.exchange_credentials(&credentials);
        }
        Ok(())
    }

    /// Stops accepting, lets requests in flight end, and no longer than the configured time.
    pub fn stop(mut self) -> Stopped {
        let Some(runtime) = self.runtime.take() else { return Stopped::Clean };
        // Fails only if every listener has ended already.
        let _ = self.shutdown.send(true);
        let drained =
            runtime.block_on(async { tokio::time::timeout(self.shutdown_timeout, self.in_flight.drained()).await });
        let left = self.in_flight.requests();
        runtime.shutdown_background();
        if drained.is_ok() { Stopped::Clean } else { Stopped::CutOff(left) }
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
            // Pingora unwraps when it loads the file: make sure that it can.
            let mut builder = openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls())
                .map_err(|error| refused(error.to_string()))?;
            builder.set_ca_file(path).map_err(|error| refused(error.to_string()))?;
            Some(path.to_str().ok_or_else(|| refused("its name is not UTF-8".to_owned()))?.to_owned())
        }
    };
    Ok(Arc::new(ServerConf {
        threads: config.proxy.threads,
        ca_file,
        // Pingora takes it for each thread and makes one pool for all.
        upstream_keepalive_pool_size: config.proxy.idle_connections.div_ceil(config.proxy.threads.max(1)),
        // `retry` limits attempts, for each request; this only has to lie above its highest limit (16 attempts, each
        // with up to 4 addresses).
        max_retries: 128,
        ..ServerConf::default()
    }))
}

/// Lets a service take the connections of a socket that listens already.
fn serve<A>(
    runtime: &Runtime,
    mut service: Service<A>,
    socket: std::net::TcpListener,
    address: SocketAddr,
    shutdown: &watch::Receiver<bool>,
) where
    A: ServerApp + Send + Sync + 'static,
{
    let mut fds = Fds::new();
    fds.add(address.to_string(), socket.into_raw_fd());
    let (watch, fds) = (shutdown.clone(), Arc::new(Mutex::new(fds)));
    runtime.spawn(async move { service.start_service(Some(fds), watch, 1).await });
}

/// Listens before Pingora does, since with port 0 it could not tell which port it got.
fn bind(address: SocketAddr) -> std::io::Result<(std::net::TcpListener, SocketAddr)> {
    /// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
    const BACKLOG: u32 = 65_535;
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(BACKLOG)?.into_std()?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
