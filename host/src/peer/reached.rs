//! How far a connection came before it failed. Pingora gives several steps the same error, so the steps themselves
//! take notes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pingora::upstreams::peer::Tracing;
use pointsman_rules::contract::Stage;
use pointsman_rules::quota::Count;

/// Noted while a connection is made, read when that failed.
#[derive(Debug, Clone, Default)]
pub struct Reached(Arc<AtomicU8>);

/// What Pingora tells of a connection: that it stands, and that it is gone.
#[derive(Debug, Clone)]
pub struct Watch {
    /// None where there is nothing but a socket to connect.
    pub reached: Option<Reached>,
    /// The tenant's connections.
    pub connections: Count,
}

// 0: the socket is being connected.
const CONNECT_PROXY: u8 = 1;
const TLS: u8 = 2;

impl Reached {
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            CONNECT_PROXY => Stage::ConnectProxy,
            TLS => Stage::Tls,
            _ => Stage::Connect,
        }
    }

    /// The proxy is reached, and will be asked for a tunnel.
    pub fn proxy(&self) {
        self.0.store(CONNECT_PROXY, Ordering::Relaxed);
    }
}

impl Tracing for Watch {
    /// The socket is connected, through the tunnel if there is one.
    fn on_connected(&self) {
        self.connections.add();
        if let Some(Reached(reached)) = &self.reached {
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
