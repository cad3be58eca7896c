//! Listening sockets, bound before Pingora runs: with port 0 it could not report which port it got, and a process that
//! takes this one's place inherits the sockets.

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pointsman_rules::check::UNNAMED_SOCKET;
use pointsman_rules::config::{AdminConfig, Config};
use pointsman_system::file_access::folder;
use tempfile::NamedTempFile;
use tokio::net::{TcpSocket, UnixSocket};
use tokio::runtime::Runtime;

use crate::door::Acceptor;
use crate::server::StartError;

/// The mode of a socket that no other user may open.
const OWNER_ONLY: u32 = 0o600;

/// A listening socket.
#[derive(Debug)]
pub struct Listening {
    pub name: String,
    pub address: SocketAddr,
    pub socket: TcpListener,
}

/// Listens on all addresses of a configuration: its listeners in their order, then admin.
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
    /// Accepts the socket's connections. The socket itself stays here, for a process that takes this one's place.
    pub fn acceptor(&self, runtime: &Runtime) -> Result<Acceptor, StartError> {
        let _inside = runtime.enter();
        let refused = |source| StartError::Listen { name: self.name.clone(), address: self.address, source };
        self.socket.try_clone().and_then(Acceptor::tcp).map_err(refused)
    }
}

/// A Unix socket that listens under a temporary name, which is removed if the socket never gets its final name.
#[derive(Debug)]
pub struct TemporarySocket {
    socket: NamedTempFile<UnixListener>,
    path: PathBuf,
}

/// Handling of a Unix socket on which another process listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketInUse {
    Refuse,
    /// For a process that takes the place of the one that listens.
    Replace,
}

/// Listens on a Unix socket that only this process's user can open. Replaces a socket on which no process listens any
/// more.
pub fn unix(path: &Path, in_use: SocketInUse, runtime: &Runtime) -> Result<TemporarySocket, StartError> {
    let refused = |source| StartError::Admin { address: path.display().to_string(), source };
    while_in_use(KILLED, || is_free(path, in_use)).map_err(refused)?;
    let bind = |path: &Path| {
        let _inside = runtime.enter();
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // No client can connect before `listen` below.
        std::fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
        const BACKLOG: u32 = 128;
        socket.listen(BACKLOG)?.into_std()
    };
    let socket = tempfile::Builder::new().prefix(UNNAMED_SOCKET).make_in(folder(path), bind).map_err(refused)?;
    Ok(TemporarySocket { socket, path: path.to_owned() })
}

impl TemporarySocket {
    /// Renames the socket to its final name, which replaces any other socket there, and accepts its connections.
    pub fn name(self, runtime: &Runtime) -> Result<Acceptor, StartError> {
        let TemporarySocket { socket, path } = self;
        let _inside = runtime.enter();
        let refused = |source| StartError::Admin { address: path.display().to_string(), source };
        socket.persist(&path).map_err(|refused| refused.error).and_then(Acceptor::unix).map_err(refused)
    }
}

fn is_free(path: &Path, in_use: SocketInUse) -> std::io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(about) if !about.file_type().is_socket() => {
            Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is a file of that name"))
        }
        Ok(_) if in_use == SocketInUse::Refuse && UnixStream::connect(path).is_ok() => {
            Err(std::io::ErrorKind::AddrInUse.into())
        }
        Ok(_) => Ok(()),
    }
}

/// How long a killed process may hold an address after its end: a child that it was just starting has a copy of each
/// socket until it becomes another program. A start sees the address free within milliseconds; two seconds are enough
/// on any machine.
const KILLED: Duration = Duration::from_secs(2);

/// Retries while an address is in use, for at most `longest`.
fn while_in_use<T>(longest: Duration, mut attempt: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    const PAUSE: Duration = Duration::from_millis(10);
    let (start, mut is_logged) = (Instant::now(), false);
    loop {
        match attempt() {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && start.elapsed() < longest => {
                if !is_logged {
                    tracing::warn!(%error, "trying again for {} s", longest.as_secs());
                    is_logged = true;
                }
                thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    while_in_use(KILLED, || bind_once(address))
}

fn bind_once(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    /// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn address_that_a_killed_process_still_holds_is_waited_for() {
        let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = holder.local_addr().expect("an address");
        let in_use = while_in_use(Duration::ZERO, || bind_once(address)).expect_err("it is held");
        assert_eq!(in_use.kind(), std::io::ErrorKind::AddrInUse);

        let (mut holder, mut attempts) = (Some(holder), 0);
        let bound = while_in_use(Duration::from_secs(60), || {
            attempts += 1;
            let bound = bind_once(address);
            // The holder ends after the first attempt.
            drop(holder.take());
            bound
        });
        assert_eq!((bound.expect("a listener").1, attempts), (address, 2));
    }
}
