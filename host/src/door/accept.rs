//! Accepts connections on listening sockets, and handles the lack of file descriptors for them.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::{Duration, Instant};

use pointsman_rules::exhausted::Exhausted;
use tokio::net::{TcpListener, UnixListener};

use crate::door::wire::Socket;

/// Accepts the connections of one socket.
#[derive(Debug)]
pub struct Acceptor {
    listening: Listening,
    /// A descriptor that is released to accept and close a connection whose client would otherwise wait in vain.
    spare: Option<File>,
    logged: Option<Instant>,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// How long accepting pauses after an error that would recur at once.
const REST: Duration = Duration::from_millis(50);

/// Shortest interval between two log lines about such errors.
const LOGGED_EVERY: Duration = Duration::from_secs(1);

impl Acceptor {
    /// Must be called within a Tokio runtime.
    pub fn tcp(socket: StdTcpListener) -> io::Result<Acceptor> {
        socket.set_nonblocking(true)?;
        Acceptor::of(Listening::Tcp(TcpListener::from_std(socket)?))
    }

    /// Must be called within a Tokio runtime.
    pub fn unix(socket: StdUnixListener) -> io::Result<Acceptor> {
        socket.set_nonblocking(true)?;
        Acceptor::of(Listening::Unix(UnixListener::from_std(socket)?))
    }

    fn of(listening: Listening) -> io::Result<Acceptor> {
        Ok(Acceptor { listening, spare: Some(spare()?), logged: None })
    }

    /// Accepts the next connection; on a Unix socket its client has no address. After an error, call it again: later
    /// connections may succeed.
    pub async fn accept(&mut self) -> io::Result<(Socket, Option<SocketAddr>)> {
        let error = match self.listening.accept().await {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        if matches!(Exhausted::of(&error), Some(Exhausted::Descriptors | Exhausted::SystemDescriptors)) {
            // A client whose connection is closed at least learns that it is not served.
            self.spare = None;
            let turned_away = tokio::time::timeout(REST, self.listening.accept()).await;
            drop(turned_away);
            self.spare = spare().ok();
        }
        if error.kind() != io::ErrorKind::ConnectionAborted {
            tokio::time::sleep(REST).await;
        }
        Err(error)
    }

    /// Logs an error of `accept`, at most once a second.
    pub fn log(&mut self, listener: &str, error: &io::Error) {
        let now = Instant::now();
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOGGED_EVERY) {
            return;
        }
        self.logged = Some(now);
        match Exhausted::of(error) {
            Some(Exhausted::Descriptors | Exhausted::SystemDescriptors) => tracing::error!(
                listener,
                %error,
                "cannot accept a connection: no file descriptor is left; raise the hard limit (ulimit -Hn) or lower \
                 proxy.max_connections"
            ),
            _ => tracing::error!(listener, %error, "cannot accept a connection"),
        }
    }
}

impl Listening {
    async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Listening::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                // Fails only if the connection is already gone.
                let _ = socket.set_nodelay(true);
                Ok((Socket::Tcp(socket), Some(peer)))
            }
            Listening::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok((Socket::Unix(socket), None))
            }
        }
    }
}

fn spare() -> io::Result<File> {
    File::open("/dev/null")
}
