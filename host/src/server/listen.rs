//! Sockets that listen, before Pingora does: with port 0 it could not tell which port it got, and whoever takes this
//! process's place is given them.

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::server::Fds;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::net::{TcpSocket, UnixSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::config::Config;
use crate::server::StartError;

/// What the admin listener is called. No listener of a configuration can have this name.
pub const ADMIN: &str = "(admin)";

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
        all.push(Listening { name: ADMIN.to_owned(), address, socket });
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

/// Lets a service take the connections of a socket. `address` is what the service calls it.
pub fn serve<A>(
    runtime: &Runtime,
    mut service: Service<A>,
    address: &str,
    socket: OwnedFd,
    shutdown: &watch::Receiver<bool>,
) where
    A: ServerApp + Send + Sync + 'static,
{
    let mut fds = Fds::new();
    fds.add(address.to_owned(), socket.into_raw_fd());
    let (watch, fds) = (shutdown.clone(), Arc::new(Mutex::new(fds)));
    runtime.spawn(async move { service.start_service(Some(fds), watch, 1).await });
}

/// Listens on a Unix socket that only this process's user can open. A socket that nobody listens on any more makes room
/// for it, and so does one of the process whose place this one takes.
pub fn unix(path: &Path, takes_over: bool, runtime: &Runtime) -> Result<OwnedFd, StartError> {
    let refused = |source| StartError::Admin { address: path.display().to_string(), source };
    clear(path, takes_over).map_err(refused)?;
    let bound = || {
        let _inside = runtime.enter();
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // Nobody can connect before it listens.
        std::fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
        const BACKLOG: u32 = 128;
        socket.listen(BACKLOG)?.into_std()
    };
    bound().map(OwnedFd::from).map_err(refused)
}

fn clear(path: &Path, takes_over: bool) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(about) if !about.file_type().is_socket() => {
            Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is a file of that name"))
        }
        Ok(_) if !takes_over && UnixStream::connect(path).is_ok() => Err(std::io::ErrorKind::AddrInUse.into()),
        Ok(_) => std::fs::remove_file(path),
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
