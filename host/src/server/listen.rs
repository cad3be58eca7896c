//! Sockets that listen, before Pingora does: with port 0 it could not tell which port it got, and whoever takes this
//! process's place is given them.

use std::fs::Permissions;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::listeners::tls::TlsSettings;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::Fds;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tempfile::NamedTempFile;
use tokio::net::{TcpSocket, UnixSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::check::UNNAMED_SOCKET;
use crate::config::{AdminConfig, Config};
use crate::server::StartError;

/// The mode of a socket that nobody else may open.
pub const OWNER_ONLY: u32 = 0o600;

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    pub name: String,
    pub address: SocketAddr,
    pub socket: TcpListener,
}

/// Listens on every address of a configuration: its listeners in their order, then admin.
pub fn all(config: &Config, runtime: &Runtime) -> Result<Vec<Listening>, StartError> {
    let _inside = runtime.enter();
    let mut all = Vec::new();
    for listener in &config.listeners {
        let (socket, address) = bind(listener.address).map_err(|source| StartError::Listen {
            name: listener.name.clone(),
            address: listener.address,
            source,
        })?;
        all.push(Listening { name: listener.name.clone(), address, socket });
    }
    if let Some(address) = config.admin.as_ref().and_then(|admin| admin.address) {
        let refused = |source| StartError::Admin { address: address.to_string(), source };
        let (socket, address) = bind(address).map_err(refused)?;
        all.push(Listening { name: AdminConfig::LISTENER.to_owned(), address, socket });
    }
    Ok(all)
}

impl Listening {
    /// Another descriptor of the same socket, to be closed by whom it is given to.
    pub fn copy(&self) -> Result<OwnedFd, StartError> {
        let refused = |source| StartError::Listen { name: self.name.clone(), address: self.address, source };
        self.socket.try_clone().map(OwnedFd::from).map_err(refused)
    }
}

/// How Pingora serves a listener's connections.
pub fn endpoint(address: &str, tls: Option<TlsSettings>) -> ListenerConfig {
    let endpoint = ListenerConfig::tcp(address);
    match tls {
        // Heads and bodies are read into buffers of their own, which are large enough; Pingora's 64 KiB before these would
        // be held by every idle connection.
        None => endpoint.l4_buffer(L4BufferSettings::default().read(0)),
        Some(tls) => endpoint.l4_buffer(L4BufferSettings::default().read(TLS_READ_BUFFER)).tls(tls),
    }
}

/// Bytes that are read at a time from a client that speaks TLS, which itself would ask for each record twice: for its
/// head, and for the rest. A record with as much as it may have.
const TLS_READ_BUFFER: usize = 17 * 1024;

/// A service that takes the connections of a socket, once it is run.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets a service take the connections of a socket. `address` is what the service calls it.
pub fn serving<A>(
    mut service: Service<A>,
    address: &str,
    socket: impl Into<OwnedFd>,
    shutdown: &watch::Receiver<bool>,
) -> Serving
where
    A: ServerApp + Send + Sync + 'static,
{
    let (address, socket, shutdown) = (address.to_owned(), socket.into(), shutdown.clone());
    Box::pin(async move {
        let mut fds = Fds::new();
        fds.add(address, socket.into_raw_fd());
        service.start_service(Some(Arc::new(Mutex::new(fds))), shutdown, 1).await;
    })
}

/// A Unix socket that listens under a name that nobody knows yet, which is removed if it never gets its own.
#[derive(Debug)]
pub struct Unnamed {
    socket: NamedTempFile<UnixListener>,
    path: PathBuf,
}

/// Listens on a Unix socket that only this process's user can open. A socket that nobody listens on any more makes room
/// for it, and so does one of the process whose place this one takes.
pub fn unix(path: &Path, takes_over: bool, runtime: &Runtime) -> Result<Unnamed, StartError> {
    let refused = |source| StartError::Admin { address: path.display().to_string(), source };
    is_free(path, takes_over).map_err(refused)?;
    let bind = |path: &Path| {
        let _inside = runtime.enter();
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // Nobody can connect before it listens.
        std::fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
        const BACKLOG: u32 = 128;
        socket.listen(BACKLOG)?.into_std()
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let socket = tempfile::Builder::new().prefix(UNNAMED_SOCKET).make_in(folder, bind).map_err(refused)?;
    Ok(Unnamed { socket, path: path.to_owned() })
}

impl Unnamed {
    /// Gives it its name, which no other socket has from then on.
    pub fn name(self) -> Result<UnixListener, StartError> {
        let Unnamed { socket, path } = self;
        socket
            .persist(&path)
            .map_err(|refused| StartError::Admin { address: path.display().to_string(), source: refused.error })
    }
}

fn is_free(path: &Path, takes_over: bool) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(about) if !about.file_type().is_socket() => {
            Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is a file of that name"))
        }
        Ok(_) if !takes_over && UnixStream::connect(path).is_ok() => Err(std::io::ErrorKind::AddrInUse.into()),
        Ok(_) => Ok(()),
    }
}

fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
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
