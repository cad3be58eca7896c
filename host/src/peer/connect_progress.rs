//! Records how far a connection got before it failed. Pingora reports the same error for several steps, so each step
//! records that it was reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pingora::upstreams::peer::Tracing;
use pointsman_rules::contract::Stage;
use pointsman_rules::quota::Count;

/// The step that a connection has reached: written while it is made, read when it fails.
#[derive(Debug, Clone, Default)]
pub struct ConnectProgress(Arc<AtomicU8>);

/// Receives Pingora's notifications that a connection is established and that it is closed.
#[derive(Debug, Clone)]
pub struct Watch {
    /// None for a plain socket, with neither TLS nor a tunnel.
    pub reached: Option<ConnectProgress>,
    /// Count of the tenant's connections.
    pub connections: Count,
}

// 0: the socket is being connected.
const CONNECT_PROXY: u8 = 1;
const TLS: u8 = 2;

impl ConnectProgress {
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            CONNECT_PROXY => Stage::ConnectProxy,
            TLS => Stage::Tls,
            _ => Stage::Connect,
        }
    }

    /// The CONNECT proxy is reached; the request for a tunnel follows.
    pub fn proxy(&self) {
        self.0.store(CONNECT_PROXY, Ordering::Relaxed);
    }
}

impl Tracing for Watch {
    /// The socket is connected, through the tunnel if there is one.
    fn on_connected(&self) {
        self.connections.add();
        if let Some(ConnectProgress(reached)) = &self.reached {
            reached.store(TLS, Ordering::Relaxed);
        }
    }

    fn on_disconnected(&self) {
        self.connections.remove();
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}
