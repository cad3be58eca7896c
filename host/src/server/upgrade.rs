//! One process takes another's place: it is given the listeners, so that no connection is ever refused, and the other
//! one ends when its last request has.

use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::path::{Path, PathBuf};

use pingora::server::Fds;
use rustix::process::{Pid, Signal, kill_process};

use crate::config::Config;
use crate::server::listen::{ADMIN, Listening};

/// Listeners that did not change hands.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error("`proxy.upgrade_socket` is not configured: it is where the listeners change hands")]
    NoSocket,
    #[error("cannot signal process {pid}: {message}")]
    Signal { pid: i32, message: String },
    #[error("`{path}` (proxy.upgrade_socket): {message}")]
    Socket { path: PathBuf, message: String },
    #[error("the running process has no listener `{name}`: a listener that is new takes a restart")]
    Missing { name: String },
}

/// Gives the listeners to the process that waits for them.
pub fn hand_over(listening: &[Listening], socket: &Path) -> Result<(), UpgradeError> {
    let mut fds = Fds::new();
    for listening in listening {
        fds.add(listening.name.clone(), listening.socket.as_raw_fd());
    }
    let path = text(socket)?;
    fds.send_to_sock(path).map(|_| ()).map_err(|error| failed(socket, error))
}

/// Asks a running process for its listeners.
pub fn take_over(config: &Config, from: Pid) -> Result<Vec<Listening>, UpgradeError> {
    let socket = config.proxy.upgrade_socket.as_deref().ok_or(UpgradeError::NoSocket)?;
    let path = text(socket)?;
    // Pingora unwraps if it can't make the socket.
    let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).map_err(|error| failed(socket, error))?;
    let signalled = std::thread::spawn({
        let socket = socket.to_owned();
        move || {
            // Not before there is somebody to give them to.
            for _ in 0..500 {
                if std::fs::symlink_metadata(&socket).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            kill_process(from, Signal::QUIT)
        }
    });
    // One that was left behind would be taken for ours.
    let _ = std::fs::remove_file(socket);
    let mut fds = Fds::new();
    let received = fds.get_from_sock(path);
    match signalled.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let pid = from.as_raw_nonzero().get();
            return Err(UpgradeError::Signal { pid, message: error.to_string() });
        }
        Err(_) => return Err(failed(socket, "no thread could be run")),
    }
    received.map_err(|error| failed(socket, error))?;
    let admin = config.admin.iter().filter(|admin| admin.address.is_some()).map(|_| ADMIN.to_owned());
    let names = config.listeners.iter().map(|listener| listener.name.clone()).chain(admin);
    names.map(|name| listening(&fds, name)).collect()
}

fn listening(fds: &Fds, name: String) -> Result<Listening, UpgradeError> {
    let Some(fd) = fds.get(&name) else { return Err(UpgradeError::Missing { name }) };
    #[expect(unsafe_code, reason = "the descriptor was received a moment ago and is nobody else's")]
    let socket = unsafe { TcpListener::from_raw_fd(*fd) };
    match socket.local_addr() {
        Ok(address) => Ok(Listening { name, address, socket }),
        Err(_) => Err(UpgradeError::Missing { name }),
    }
}

fn text(path: &Path) -> Result<&str, UpgradeError> {
    /// What a Unix socket's address holds.
    const LONGEST: usize = 107;
    match path.to_str() {
        Some(text) if text.len() <= LONGEST => Ok(text),
        Some(_) => Err(failed(path, format!("the path is longer than {LONGEST} bytes"))),
        None => Err(failed(path, "the path is not UTF-8")),
    }
}

fn failed(path: &Path, message: impl std::fmt::Display) -> UpgradeError {
    UpgradeError::Socket { path: path.to_owned(), message: message.to_string() }
}
