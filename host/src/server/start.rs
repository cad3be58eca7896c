//! A start, in phases. Each is a value that the next one takes, so that none is left out or done twice:
//!
//! | phase | then |
//! |---|---|
//! | [`CheckedLaunch`] | the file system allows a start |
//! | [`OpenProxy`] | there are an engine, the kept state and threads, and clients can connect, unless another process has the listeners |
//! | [`LoadedProxy`] | everything that the configuration names is loaded and tested |
//! | [`ConnectedRooms`] | the rooms are connected; nothing serves yet |
//! | [`BoundProxy`] | all listeners are this process's |
//! | [`Server`] | it serves |

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora::proxy::{HttpProxy, http_proxy};
use pointsman_rules::check::OwnAddresses;
use pointsman_rules::config::Config;
use pointsman_system::memory::MemoryWatch;
use pointsman_wasm::module::{BuildIn, Loader};
use rustix::process::Pid;
use tokio::runtime::Runtime;

use crate::admin::{Access, Admin};
use crate::control::{self, Control, ControlParts, PrepareError};
use crate::door::{Pending, ServedCertificate, Slots, TlsAcceptor};
use crate::log::{AccessLogger, Explain};
use crate::metrics::Metrics;
use crate::proxy::{Gauge, Parts, Proxy};
use crate::release::{OnDamage, ReleaseManager, Shadow, Store};
use crate::server::doors::{Doors, Serving};
use crate::server::listen::{self, SocketInUse, TemporarySocket};
use crate::server::prepared::{NamedFiles, PreparedTenants};
use crate::server::watch::{self, Mark};
use crate::server::{Listening, Server, StartError, limits, preflight, upgrade};

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

/// Starts a proxy. On return it accepts connections, and nothing can fail any more.
pub fn start(launch: Launch) -> Result<Server, StartError> {
    CheckedLaunch::new(launch)?.open()?.load()?.assemble()?.bind()?.serve()
}

struct CheckedLaunch {
    launch: Launch,
    /// Where this process will hand over its listeners. A `dev` proxy never does.
    upgrade_socket: Option<PathBuf>,
}

struct OpenProxy {
    checked: CheckedLaunch,
    publisher: ReleaseManager,
    runtime: Runtime,
    sockets: Sockets,
}

/// The listeners of a start.
enum Sockets {
    Ours(Vec<Listening>),
    /// This process has them, until everything else is ready.
    Of(Pid),
}

struct LoadedProxy {
    opened: OpenProxy,
    /// The files as they were before they were loaded. None: they are not watched.
    marks: Option<HashMap<PathBuf, Mark>>,
    files: NamedFiles,
    /// For each listener with TLS.
    tls: Vec<Option<TlsAcceptor>>,
    access: AccessLogger,
    prepared: PreparedTenants,
}

struct ConnectedRooms {
    rooms: Rooms,
    sockets: Sockets,
}

struct BoundProxy {
    rooms: Rooms,
    /// The listeners in their order, then admin.
    listening: Vec<Listening>,
}

/// The rooms of a proxy, connected with each other.
struct Rooms {
    checked: CheckedLaunch,
    runtime: Runtime,
    marks: Option<HashMap<PathBuf, Mark>>,
    own: Arc<OwnAddresses>,
    metrics: Arc<Metrics>,
    access: AccessLogger,
    in_flight: Gauge,
    memory: Arc<MemoryWatch>,
    control: Arc<Control>,
    proxy: Arc<HttpProxy<Proxy>>,
    /// For each listener with TLS.
    tls: Vec<Option<TlsAcceptor>>,
    /// Requirements for clients of the admin listener, if there is one.
    admin: Option<Access>,
    admin_socket: Option<TemporarySocket>,
}

impl CheckedLaunch {
    fn new(launch: Launch) -> Result<CheckedLaunch, StartError> {
        let upgrade_socket = launch.config.proxy.upgrade_socket.clone().filter(|_| !launch.dev);
        let refused = preflight::refused(&launch.config, upgrade_socket.as_deref());
        match refused.is_empty() {
            true => Ok(CheckedLaunch { launch, upgrade_socket }),
            false => Err(all(refused)),
        }
    }

    fn open(self) -> Result<OpenProxy, StartError> {
        let Launch { config, build_in, takes_over, dev, .. } = &self.launch;
        let on_damage = if takes_over.is_some() { OnDamage::Refuse } else { OnDamage::UseFiles };
        let loader = match dev {
            true => Loader::reading_debug_info(config.proxy.threads, control::kept_instances(config))?,
            false => Loader::new(config.proxy.threads, control::kept_instances(config))?,
        };
        let publisher = publisher(config, loader.build_in(*build_in))?.on_damage(on_damage);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.proxy.threads)
            .thread_name("worker")
            .enable_all()
            .build()
            .map_err(|source| StartError::Threads { source })?;
        let sockets = match takes_over {
            Some(from) => Sockets::Of(*from),
            None => Sockets::Ours(listen::all(config, &runtime)?),
        };
        Ok(OpenProxy { checked: self, publisher, runtime, sockets })
    }
}

impl OpenProxy {
    fn load(self) -> Result<LoadedProxy, StartError> {
        let Launch { config, file, dev, .. } = &self.checked.launch;
        let addresses = match &self.sockets {
            Sockets::Ours(listening) => listening.iter().map(|listening| listening.address).collect(),
            Sockets::Of(_) => config.addresses(),
        };
        let files = NamedFiles::read(config).map_err(all)?;
        let tls = acceptors(config, &files.reloadable.certificates)?;
        let access = AccessLogger::open(&config.log)?;
        let marks = config.proxy.watch.then(|| watch::marks(config, file.as_deref().filter(|_| *dev)));
        let prepared = PreparedTenants::load(config, &self.publisher, &files.credentials, addresses).map_err(all)?;
        Ok(LoadedProxy { opened: self, marks, files, tls, access, prepared })
    }
}

impl LoadedProxy {
    fn assemble(self) -> Result<ConnectedRooms, StartError> {
        let LoadedProxy {
            opened: OpenProxy { checked, publisher, runtime, sockets },
            marks,
            files,
            tls,
            access,
            prepared,
        } = self;
        let PreparedTenants { tenants, own, metrics } = prepared;
        let Launch { config, file, dev, adapt, .. } = &checked.launch;
        if let Sockets::Ours(_) = sockets {
            publisher.sweep();
        }
        let (in_flight, threads) = (Gauge::default(), |source| StartError::Threads { source });
        let memory = MemoryWatch::start(config.proxy.memory).map_err(threads)?;
        let admin =
            config.admin.as_ref().map(|admin| Access::remote(files.reloadable.token.clone(), admin.hosts.clone()));
        let control = Arc::new(Control::new(ControlParts {
            publisher,
            metrics: metrics.clone(),
            file: file.clone(),
            adapt: *adapt,
            config: config.clone(),
            own: own.clone(),
            tenants,
            runtime: runtime.handle().clone(),
            files: files.reloadable,
        }));
        let proxy = Proxy::new(Parts {
            tenants: control.routes(),
            shadow: Shadow::start().map_err(threads)?,
            resolver: files.resolver,
            access: access.clone(),
            explain: dev.then(Explain::start),
            metrics: metrics.clone(),
            in_flight: in_flight.clone(),
            error_header: config.proxy.error_header,
            memory: memory.clone(),
        });
        let proxy = Arc::new(http_proxy(&files.conf, proxy));
        let in_use = if matches!(sockets, Sockets::Of(_)) { SocketInUse::Replace } else { SocketInUse::Refuse };
        let admin_socket = admin_socket(config).map(|path| listen::unix(path, in_use, &runtime)).transpose()?;
        let rooms = Rooms {
            checked,
            runtime,
            marks,
            own,
            metrics,
            access,
            in_flight,
            memory,
            control,
            proxy,
            tls,
            admin,
            admin_socket,
        };
        Ok(ConnectedRooms { rooms, sockets })
    }
}

impl ConnectedRooms {
    /// Takes the listeners over, if another process has them.
    fn bind(self) -> Result<BoundProxy, StartError> {
        let ConnectedRooms { rooms, sockets } = self;
        let listening = match sockets {
            Sockets::Ours(listening) => listening,
            Sockets::Of(process) => upgrade::take_over(&rooms.checked.launch.config, process)?,
        };
        rooms.own.found(listening.iter().map(|listening| listening.address).collect());
        Ok(BoundProxy { rooms, listening })
    }
}

impl BoundProxy {
    fn serve(self) -> Result<Server, StartError> {
        let BoundProxy { rooms, listening } = self;
        let Launch { config, dev, .. } = &rooms.checked.launch;
        let (shutdown, watch) = tokio::sync::watch::channel(false);
        let doors = Doors {
            config,
            descriptors: limits::raise(),
            access: rooms.access.clone(),
            metrics: rooms.metrics,
            watch,
            memory: rooms.memory,
        };
        let (runtime, control) = (rooms.runtime, rooms.control);
        let (of_proxy, of_admin) = listening.split_at(config.listeners.len().min(listening.len()));
        let mut services = proxy_doors(&doors, &rooms.proxy, rooms.tls, of_proxy, &runtime)?;
        if let Some(access) = rooms.admin {
            let admin = Arc::new(Admin::new(control.clone(), access));
            for listening in of_admin {
                let acceptor = listening.acceptor(&runtime)?;
                services.push(Box::pin(doors.to_admin(admin.clone()).run(acceptor)));
            }
        }
        watch::start(&control, rooms.marks, *dev).map_err(|source| StartError::Threads { source })?;
        if let Some((socket, path)) = rooms.admin_socket.zip(admin_socket(config)) {
            let admin = Arc::new(Admin::new(control.clone(), Access::Full));
            // Last of all: if this process takes another one's place, that one loses its socket here.
            let acceptor = socket.name(&runtime)?;
            services.push(Box::pin(doors.to_admin(admin).run(acceptor)));
            rooms.own.listens_on(path);
        }
        Ok(Server {
            services: services.into_iter().map(|service| runtime.spawn(service)).collect(),
            runtime: Some(runtime),
            shutdown,
            in_flight: rooms.in_flight,
            access: rooms.access,
            shutdown_timeout: config.proxy.shutdown_timeout,
            control,
            listening,
            upgrade_socket: rooms.checked.upgrade_socket,
        })
    }
}

/// One error for all of these.
fn all(mut errors: Vec<StartError>) -> StartError {
    match errors.pop() {
        Some(only) if errors.is_empty() => only,
        last => {
            errors.extend(last);
            StartError::Several(errors)
        }
    }
}

/// The doors into the proxy, for the listeners in their order.
fn proxy_doors(
    doors: &Doors<'_>,
    proxy: &Arc<HttpProxy<Proxy>>,
    tls: Vec<Option<TlsAcceptor>>,
    listening: &[Listening],
    runtime: &Runtime,
) -> Result<Vec<Serving>, StartError> {
    let config = doors.config;
    let slots = Slots::new(config.proxy.max_connections.unwrap_or(doors.descriptors.connections(config)));
    let pending = Arc::new(Pending::default());
    let mut services = Vec::<Serving>::new();
    for ((listener, tls), listening) in config.listeners.iter().zip(tls).zip(listening) {
        let acceptor = listening.acceptor(runtime)?;
        let door = doors.to(proxy.clone(), listener, tls, slots.clone(), pending.clone());
        services.push(Box::pin(door.run(acceptor)));
    }
    Ok(services)
}

/// The TLS acceptors, one per listener with TLS.
fn acceptors(
    config: &Config,
    certificates: &[Option<ServedCertificate>],
) -> Result<Vec<Option<TlsAcceptor>>, StartError> {
    let acceptors = config.listeners.iter().zip(certificates).map(|(listener, certificate)| -> Result<_, StartError> {
        let refused = |source| PrepareError::Tls { name: listener.name.clone(), source };
        let acceptor = listener.tls.as_ref().zip(certificate.clone());
        let acceptor = acceptor.map(|(tls, certificate)| TlsAcceptor::new(certificate, tls.handshake_timeout));
        Ok(acceptor.transpose().map_err(refused)?)
    });
    acceptors.collect()
}

/// The path of the admin API's socket.
fn admin_socket(config: &Config) -> Option<&Path> {
    config.admin.as_ref()?.socket.as_deref()
}

/// The manager that prepares versions, with the configured folders.
fn publisher(config: &Config, mut loader: Loader) -> Result<ReleaseManager, StartError> {
    if let Some(path) = &config.proxy.cache_dir {
        let refused = |source| StartError::Cache { path: path.clone(), source };
        loader = loader.with_cache(path, config.proxy.cache_bytes).map_err(refused)?;
    }
    let store =
        config.proxy.state_dir.as_ref().map(|path| Store::open(path)).transpose().map_err(PrepareError::from)?;
    Ok(ReleaseManager::new(loader, store))
}
