//! Upgrades: one process takes another's place. It receives the listeners, so that no connection is refused, and the
//! old process ends with its last request.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use pingora::server::Fds;
use pointsman_rules::config::{AdminConfig, Config, ProxyConfig};
use pointsman_system::file_access::folder;
use rustix::process::{Pid, Signal, getppid, kill_process};

use crate::server::listen::Listening;

/// Why listeners were not handed over.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error("`proxy.upgrade_socket` is not configured: the listeners are handed over there")]
    NoSocket,
    #[error("process {pid} did not start this one: an upgrade begins with SIGUSR2 to the process that runs")]
    NotStartedBy { pid: i32 },
    #[error("cannot signal process {pid}: {message}")]
    Signal { pid: i32, message: String },
    #[error("`{path}` (proxy.upgrade_socket): {message}")]
    Socket { path: PathBuf, message: String },
    #[error(
        "process {pid} did not hand over its listeners on `{path}` (proxy.upgrade_socket): {message}; was it started \
         with the same `proxy.upgrade_socket`?"
    )]
    NotSent { pid: i32, path: PathBuf, message: String },
    #[error(
        "the folder `{folder}` of proxy.upgrade_socket belongs to another user (uid {owner}, this is {user}), who could \
         hand over other listeners: name a folder of its own"
    )]
    Owner { folder: PathBuf, owner: u32, user: u32 },
    #[error(
        "the folder `{folder}` of proxy.upgrade_socket is open to others (mode {mode:o}), who could hand over other \
         listeners: chmod 700 it, or name a folder of its own"
    )]
    Mode { folder: PathBuf, mode: u32 },
    #[error("the running process has no listener `{name}`: a new listener needs a restart")]
    Missing { name: String },
    #[error(
        "listener `{name}` is at {is} in the running process, and was to be at {was_to_be}: a listener that moves \
         needs a restart, or another name"
    )]
    Moved { name: String, is: SocketAddr, was_to_be: SocketAddr },
    #[error("listener `{name}` that the running process handed over cannot be used")]
    Unusable { name: String, source: std::io::Error },
}

/// Checks that a socket can be used for handing over listeners. Pingora lets everybody open it, so its folder must
/// not.
pub fn check(socket: &Path) -> Result<(), UpgradeError> {
    text(socket)?;
    let folder = folder(socket);
    let unusable = |message: String| UpgradeError::Socket { path: socket.to_owned(), message };
    let about = std::fs::metadata(folder)
        .map_err(|error| unusable(format!("cannot use the folder `{}`: {error}", folder.display())))?;
    if !about.is_dir() {
        return Err(unusable(format!("`{}` is not a folder", folder.display())));
    }
    let (owner, user) = (about.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(UpgradeError::Owner { folder: folder.to_owned(), owner, user });
    }
    let mode = about.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(UpgradeError::Mode { folder: folder.to_owned(), mode });
    }
    Ok(())
}

/// Listeners to be handed over to the process that waits for them.
#[derive(Debug)]
pub struct HandOver {
    listeners: Vec<(String, OwnedFd)>,
    socket: PathBuf,
}

impl HandOver {
    pub fn of(listening: &[Listening], socket: &Path) -> Result<HandOver, UpgradeError> {
        let copies = listening.iter().map(|listening| match listening.socket.try_clone() {
            Ok(copy) => Ok((listening.name.clone(), OwnedFd::from(copy))),
            Err(source) => Err(UpgradeError::Unusable { name: listening.name.clone(), source }),
        });
        Ok(HandOver { listeners: copies.collect::<Result<_, _>>()?, socket: socket.to_owned() })
    }

    /// Waits for the process that takes the listeners, for some seconds at most.
    pub fn send(self) -> Result<(), UpgradeError> {
        let mut fds = Fds::new();
        for (name, descriptor) in &self.listeners {
            fds.add(name.clone(), descriptor.as_raw_fd());
        }
        let path = text(&self.socket)?;
        fds.send_to_sock(path).map(|_| ()).map_err(|error| failed(&self.socket, error))
    }
}

/// Requests the listeners of a running process. Closes those that this configuration does not have.
pub fn take_over(config: &Config, from: Pid) -> Result<Vec<Listening>, UpgradeError> {
    let socket = config.proxy.upgrade_socket.as_deref().ok_or(UpgradeError::NoSocket)?;
    let path = text(socket)?;
    is_parent(from)?;
    // Pingora unwraps if it cannot create the socket.
    tempfile::tempfile_in(folder(socket)).map_err(|error| failed(socket, error))?;
    // A leftover socket would be mistaken for the new one.
    let _ = std::fs::remove_file(socket);
    let signalled = thread::spawn({
        let socket = socket.to_owned();
        move || {
            // Not before this process waits for the listeners.
            for _ in 0..500 {
                if std::fs::symlink_metadata(&socket).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            kill_process(from, Signal::QUIT)
        }
    });
    let mut fds = Fds::new();
    let received = fds.get_from_sock(path);
    let pid = from.as_raw_nonzero().get();
    match signalled.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(UpgradeError::Signal { pid, message: error.to_string() }),
        Err(_) => return Err(failed(socket, "no thread could be run")),
    }
    received.map_err(|error| UpgradeError::NotSent { pid, path: socket.to_owned(), message: error.to_string() })?;
    chosen(owned(&fds), &wanted(config))
}

/// Tells the process whose place this one has taken to end.
pub fn end(predecessor: Pid) -> Result<(), UpgradeError> {
    is_parent(predecessor)?;
    let pid = predecessor.as_raw_nonzero().get();
    kill_process(predecessor, Signal::TERM).map_err(|error| UpgradeError::Signal { pid, message: error.to_string() })
}

/// Only the parent of this process expects its SIGQUIT, and its PID cannot have been reused by another process.
fn is_parent(process: Pid) -> Result<(), UpgradeError> {
    match getppid() {
        Some(parent) if parent == process => Ok(()),
        _ => Err(UpgradeError::NotStartedBy { pid: process.as_raw_nonzero().get() }),
    }
}

/// The listeners of a configuration, in the order of `listen::all`.
fn wanted(config: &Config) -> Vec<(String, SocketAddr)> {
    let listeners = config.listeners.iter().map(|listener| (listener.name.clone(), listener.address));
    let admin = config.admin.iter().filter_map(|admin| admin.address);
    listeners.chain(admin.map(|address| (AdminConfig::LISTENER.to_owned(), address))).collect()
}

/// Takes ownership of all received descriptors, so that they are closed when dropped.
fn owned(fds: &Fds) -> HashMap<String, TcpListener> {
    let (names, descriptors) = fds.serialize();
    let owned = descriptors.into_iter().map(|descriptor| {
        #[expect(unsafe_code, reason = "the descriptor was received a moment ago and is nobody else's")]
        unsafe {
            TcpListener::from_raw_fd(descriptor)
        }
    });
    names.into_iter().zip(owned).collect()
}

/// Selects a configuration's listeners from those received. Closes the others, since their clients would wait for
/// somebody to accept.
fn chosen(
    mut received: HashMap<String, TcpListener>,
    wanted: &[(String, SocketAddr)],
) -> Result<Vec<Listening>, UpgradeError> {
    let mut chosen = Vec::new();
    for (name, was_to_be) in wanted {
        let (name, was_to_be) = (name.clone(), *was_to_be);
        let Some(socket) = received.remove(&name) else { return Err(UpgradeError::Missing { name }) };
        let address = match socket.local_addr() {
            Ok(address) => address,
            Err(source) => return Err(UpgradeError::Unusable { name, source }),
        };
        // Port 0 matches any port.
        let same_port = was_to_be.port() == 0 || was_to_be.port() == address.port();
        if address.ip() != was_to_be.ip() || !same_port {
            return Err(UpgradeError::Moved { name, is: address, was_to_be });
        }
        chosen.push(Listening { name, address, socket });
    }
    for listener in received.keys() {
        tracing::info!(%listener, "upgrade: the listener is not configured any more; it is closed");
    }
    Ok(chosen)
}

/// The path as text, if Pingora can use it: it unwraps where a path is too long.
fn text(path: &Path) -> Result<&str, UpgradeError> {
    const LONGEST: usize = ProxyConfig::UPGRADE_SOCKET_BYTES;
    match path.to_str() {
        Some(text) if text.len() <= LONGEST => Ok(text),
        Some(_) => Err(failed(path, format!("the path is longer than {LONGEST} bytes"))),
        None => Err(failed(path, "the path is not UTF-8")),
    }
}

fn failed(path: &Path, message: impl std::fmt::Display) -> UpgradeError {
    UpgradeError::Socket { path: path.to_owned(), message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    /// The result of a takeover from a process that listens as `web`, by a configuration with `name` at `was_to_be`.
    fn take_over_as(name: &str, was_to_be: &str) -> Result<SocketAddr, String> {
        let (web, address) = listener();
        let was_to_be = was_to_be.replace("SAME", &address.port().to_string()).parse().expect("an address");
        let chosen = chosen(HashMap::from([("web".to_owned(), web)]), &[(name.to_owned(), was_to_be)]);
        match chosen {
            Ok(chosen) => Ok(chosen.first().expect("a listener").address),
            Err(error) => Err(error.to_string().replace(&address.to_string(), "HERE")),
        }
    }

    #[test]
    fn listener_is_taken_over_at_its_address() {
        assert!(take_over_as("web", "127.0.0.1:SAME").is_ok());
        assert!(take_over_as("web", "127.0.0.1:0").is_ok());
    }

    #[test]
    fn listener_that_moved_or_is_new_is_refused() {
        for elsewhere in ["127.0.0.1:1", "127.0.0.2:0", "[::1]:0"] {
            let moved = format!(
                "listener `web` is at HERE in the running process, and was to be at {elsewhere}: a listener that moves \
                 needs a restart, or another name"
            );
            assert_eq!(take_over_as("web", elsewhere), Err(moved));
        }
        let new = "the running process has no listener `more`: a new listener needs a restart".to_owned();
        assert_eq!(take_over_as("more", "127.0.0.1:0"), Err(new));
    }

    #[test]
    fn listener_that_is_not_configured_any_more_is_closed() {
        let ((web, web_address), (old, old_address)) = (listener(), listener());
        let received = HashMap::from([("web".to_owned(), web), ("old".to_owned(), old)]);
        let chosen = chosen(received, &[("web".to_owned(), web_address)]).expect("the listeners");
        assert_eq!(chosen.len(), 1);
        assert!(std::net::TcpStream::connect(web_address).is_ok());
        assert!(std::net::TcpStream::connect(old_address).is_err());
    }

    #[test]
    fn folder_that_others_can_use_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("upgrade.sock");
        for mode in [0o701, 0o710, 0o770, 0o755, 0o1777] {
            set_permissions(folder.path(), Permissions::from_mode(mode)).expect("a mode");
            let error = check(&socket).expect_err("others may use it").to_string();
            assert!(error.contains(&format!("(mode {mode:o})")) && error.contains("chmod 700 it"), "{error}");
        }
        set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("a mode");
        assert!(check(&socket).is_ok());
        let error = check(&folder.path().join("none/upgrade.sock")).expect_err("there is no folder").to_string();
        assert!(error.contains("cannot use the folder") && error.contains("none"), "{error}");
    }
}
