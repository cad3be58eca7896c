//! A proxy that runs, and its shutdown, which waits for requests in flight.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pointsman_rules::config::AdminConfig;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::control::Control;
use crate::log::AccessLogger;
use crate::proxy::Gauge;
use crate::server::{HandOver, Listening, Quit, UpgradeError};

/// A running proxy. Dropping it stops it at once; `stop` waits for requests in flight.
pub struct Server {
    /// None once it is stopped.
    pub(super) runtime: Option<Runtime>,
    pub(super) services: Vec<JoinHandle<()>>,
    pub(super) shutdown: tokio::sync::watch::Sender<bool>,
    pub(super) in_flight: Gauge,
    pub(super) access: AccessLogger,
    pub(super) shutdown_timeout: Duration,
    pub(super) control: Arc<Control>,
    pub(super) listening: Vec<Listening>,
    pub(super) upgrade_socket: Option<PathBuf>,
}

/// How long writing the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownOutcome {
    /// Every request was served to its end.
    Clean,
    /// This many requests were still in flight at the deadline and were cut off.
    CutOff(usize),
}

impl Server {
    /// Listeners by name, each with its actual address.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        let listeners = self.listening.iter().filter(|listening| listening.name != AdminConfig::LISTENER);
        listeners.map(|listening| (listening.name.as_str(), listening.address))
    }

    /// The admin listener's address, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        let admin = self.listening.iter().find(|listening| listening.name == AdminConfig::LISTENER);
        admin.map(|listening| listening.address)
    }

    /// Reopens the file of the access log.
    pub fn reopen_logs(&self) {
        self.access.reopen();
    }

    /// The parts that change while it serves.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The action that SIGQUIT requests of this proxy.
    pub fn on_quit(&self) -> Quit {
        if self.can_hand_over() { Quit::HandOver } else { Quit::Stop }
    }

    /// Whether another process can take this one's place.
    pub fn can_hand_over(&self) -> bool {
        self.upgrade_socket.is_some()
    }

    /// Its listeners, for the process that takes its place. This process goes on serving until it is stopped.
    pub fn hand_over(&self) -> Result<HandOver, UpgradeError> {
        HandOver::of(&self.listening, self.upgrade_socket.as_deref().ok_or(UpgradeError::NoSocket)?)
    }

    /// Stops accepting, and lets requests in flight end, for at most the configured time.
    pub fn stop(mut self) -> ShutdownOutcome {
        let Some(runtime) = self.runtime.take() else { return ShutdownOutcome::Clean };
        // A change from here on would be lost, or interfere with the process that takes this one's place.
        self.control.freeze(true);
        // Fails only if every listener has ended already.
        let _ = self.shutdown.send(true);
        // Otherwise the system would go on queueing connections that nobody accepts.
        self.listening.clear();
        let (services, in_flight) = (std::mem::take(&mut self.services), self.in_flight.clone());
        let drained = async move {
            for service in services {
                // A service has no result, and one that panicked has ended as well.
                let _ = service.await;
            }
            in_flight.drained().await;
        };
        let _ = runtime.block_on(async { tokio::time::timeout(self.shutdown_timeout, drained).await });
        let left = self.in_flight.requests();
        self.access.flush(LAST_LINES);
        runtime.shutdown_background();
        if left == 0 { ShutdownOutcome::Clean } else { ShutdownOutcome::CutOff(left) }
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
