//! Upgrades: one process takes another's place. It receives the listeners, so that no connection is refused, and the
//! old process ends with its last request.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::{TimeVal, TimeValLike as _};
use pointsman_native::descriptors;
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

/// How long either process waits for the other one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks that a socket can be used for handing over listeners. Whoever opens it could hand over others, so its folder
/// must be closed to them.
pub fn check(socket: &Path) -> Result<(), UpgradeError> {
    const LONGEST: usize = ProxyConfig::UPGRADE_SOCKET_BYTES;
    if socket.as_os_str().len() > LONGEST {
        return Err(failed(socket, format!("the path is longer than {LONGEST} bytes")));
    }
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
        let names: Vec<&str> = self.listeners.iter().map(|(name, _)| name.as_str()).collect();
        let listeners: Vec<_> = self.listeners.iter().map(|(_, listener)| listener.as_fd()).collect();
        let sent = connect(&self.socket)
            .and_then(|stream| descriptors::send(&stream, names.join(SEPARATOR).as_bytes(), &listeners));
        sent.map_err(|error| failed(&self.socket, error))
    }
}

/// Separates the names of listeners, which contain no spaces.
const SEPARATOR: &str = " ";

/// Requests the listeners of a running process. Closes those that this configuration does not have.
pub fn take_over(config: &Config, from: Pid) -> Result<Vec<Listening>, UpgradeError> {
    let path = config.proxy.upgrade_socket.as_deref().ok_or(UpgradeError::NoSocket)?;
    is_parent(from)?;
    // A process that ended in the middle of this left it.
    let _ = std::fs::remove_file(path);
    let socket = UnixListener::bind(path).map_err(|error| failed(path, error))?;
    let received = signal(from, Signal::QUIT).and_then(|()| {
        let not_sent = |error: Error| UpgradeError::NotSent {
            pid: from.as_raw_nonzero().get(),
            path: path.to_owned(),
            message: error.to_string(),
        };
        receive(&socket).map_err(not_sent)
    });
    // Whether or not the listeners arrived, nobody waits here any more.
    let _ = std::fs::remove_file(path);
    chosen(received?, &wanted(config))
}

/// Connects to the process that takes the listeners, which may not listen yet.
fn connect(path: &Path) -> std::io::Result<UnixStream> {
    const PAUSE: Duration = Duration::from_millis(50);
    let start = Instant::now();
    let stream = loop {
        match UnixStream::connect(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
                    && start.elapsed() < PATIENCE =>
            {
                thread::sleep(PAUSE);
            }
            done => break done?,
        }
    };
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Receives the listeners of the first process that connects, by their names.
fn receive(socket: &UnixListener) -> std::io::Result<HashMap<String, TcpListener>> {
    let seconds = i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX);
    setsockopt(socket, ReceiveTimeout, &TimeVal::seconds(seconds))?;
    let late = |error: Error| match error.kind() {
        ErrorKind::WouldBlock => Error::new(ErrorKind::TimedOut, format!("nothing came for {seconds} s")),
        _ => error,
    };
    let (stream, _) = socket.accept().map_err(late)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (text, received) = descriptors::receive(&stream, ProxyConfig::HANDED_OVER_NAME_BYTES).map_err(late)?;
    let text = String::from_utf8(text).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    let names: Vec<&str> = text.split_terminator(SEPARATOR).collect();
    if names.is_empty() || names.len() != received.len() {
        let message = format!("{} names came for {} listeners", names.len(), received.len());
        return Err(Error::new(ErrorKind::InvalidData, message));
    }
    Ok(names.into_iter().map(str::to_owned).zip(received.into_iter().map(TcpListener::from)).collect())
}

/// Tells the process whose place this one has taken to end.
pub fn end(predecessor: Pid) -> Result<(), UpgradeError> {
    is_parent(predecessor)?;
    signal(predecessor, Signal::TERM)
}

fn signal(process: Pid, signal: Signal) -> Result<(), UpgradeError> {
    let pid = process.as_raw_nonzero().get();
    kill_process(process, signal).map_err(|error| UpgradeError::Signal { pid, message: error.to_string() })
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

    /// The listeners that a waiting process receives when another one sends these.
    fn handed_over(names: &[&str]) -> Result<HashMap<String, SocketAddr>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("upgrade.sock");
        let listening: Vec<Listening> = names
            .iter()
            .map(|name| {
                let (socket, address) = listener();
                Listening { name: (*name).to_owned(), address, socket }
            })
            .collect();
        let sent = HandOver::of(&listening, &path).expect("copies");
        let waiting = UnixListener::bind(&path).expect("a socket");
        let sent = thread::spawn(|| sent.send());
        let received = receive(&waiting).map_err(|error| error.to_string())?;
        sent.join().expect("it ends").expect("sent");
        let addresses = received.into_iter().map(|(name, socket)| (name, socket.local_addr().expect("an address")));
        let addresses: HashMap<_, _> = addresses.collect();
        assert!(listening.iter().all(|sent| addresses.get(&sent.name) == Some(&sent.address)));
        Ok(addresses)
    }

    #[test]
    fn many_listeners_change_hands() {
        let names: Vec<String> = (0..ProxyConfig::HANDED_OVER).map(|number| format!("listener-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(handed_over(&names).expect("received").len(), ProxyConfig::HANDED_OVER);
    }

    #[test]
    fn process_that_sends_no_listeners_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let waiting = UnixListener::bind(folder.path().join("upgrade.sock")).expect("a socket");
        let stream = connect(&folder.path().join("upgrade.sock")).expect("a connection");
        std::io::Write::write_all(&mut &stream, b"web admin").expect("written");
        let error = receive(&waiting).expect_err("no listeners").to_string();
        assert_eq!(error, "2 names came for 0 listeners");
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
