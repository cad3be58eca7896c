//! How far a connection came before it failed. Pingora gives several steps the same error, so the steps themselves
//! take notes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pingora::upstreams::peer::Tracing;

use crate::raw::Stage;

/// Noted while a connection is made, read when that failed.
#[derive(Debug, Clone, Default)]
pub struct Reached(Arc<AtomicU8>);

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

impl Tracing for Reached {
    /// The socket is connected, through the tunnel if there is one.
    fn on_connected(&self) {
        self.0.store(TLS, Ordering::Relaxed);
    }

    fn on_disconnected(&self) {}

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}
