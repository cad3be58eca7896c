//! Sockets that listen, and what happens when the process has no descriptors for what they accept.

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
    /// A descriptor to be given up for a client that would wait in vain otherwise.
    spare: Option<File>,
    logged: Option<Instant>,
}

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// How long accepting rests after an error that would come again at once.
const REST: Duration = Duration::from_millis(50);

/// How often such errors are logged.
const LOGGED_EVERY: Duration = Duration::from_secs(1);

impl Acceptor {
    /// To be called inside a runtime.
    pub fn tcp(socket: StdTcpListener) -> io::Result<Acceptor> {
        socket.set_nonblocking(true)?;
        Acceptor::of(Listening::Tcp(TcpListener::from_std(socket)?))
    }

    /// To be called inside a runtime.
    pub fn unix(socket: StdUnixListener) -> io::Result<Acceptor> {
        socket.set_nonblocking(true)?;
        Acceptor::of(Listening::Unix(UnixListener::from_std(socket)?))
    }

    fn of(listening: Listening) -> io::Result<Acceptor> {
        Ok(Acceptor { listening, spare: Some(spare()?), logged: None })
    }

    /// The next connection; on a Unix socket its client has no address. An error says nothing of those that follow.
    pub async fn accept(&mut self) -> io::Result<(Socket, Option<SocketAddr>)> {
        let error = match self.listening.accept().await {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        if matches!(Exhausted::of(&error), Some(Exhausted::Descriptors | Exhausted::SystemDescriptors)) {
            // A client that is closed knows at least that it was not taken.
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

    /// Logs an error of `accept`, once a second at most.
    pub fn log(&mut self, listener: &str, error: &io::Error) {
        let now = Instant::now();
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOGGED_EVERY) {
            return;
        }
        self.logged = Some(now);
        tracing::error!(
            listener,
            %error,
            "cannot accept a connection; out of file descriptors: raise the hard limit (ulimit -Hn) or lower proxy.max_connections"
        );
    }
}

impl Listening {
    async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Listening::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                // Fails only on a connection that is gone.
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
