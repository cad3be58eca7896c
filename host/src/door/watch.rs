//! Whether a connection is in the middle of a request head. Pingora's own timeout is for each read, so a client that
//! sends a header every few seconds would hold a connection for ever; the watch lets `stream` bound the whole head.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::door::listener::Listener;

/// The connection that the current task serves. HTTP/2 streams run in tasks of their own; they share the listener, and
/// need no watch (see `watch` below).
#[derive(Clone)]
pub struct Connection {
    pub listener: Arc<Listener>,
    /// None in HTTP/2: its heads are bounded by the frame codec in size, and by the connection's idle timeout in time,
    /// since a stream whose head is incomplete does not count as active.
    pub watch: Option<Arc<HeadWatch>>,
}

tokio::task_local! {
    pub static CONNECTION: Connection;
}

/// Set by the phases of a request, read by the stream under it. Both run in one task.
#[derive(Debug, Default)]
pub struct HeadWatch(AtomicU8);

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Between requests: the first byte of a head starts its time.
    Idle,
    /// A head has begun.
    Head,
    /// The head is complete, or the protocol has no such phase.
    Beyond,
}

impl HeadWatch {
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Beyond,
        }
    }

    pub fn enter(&self, phase: Phase) {
        let value = match phase {
            Phase::Idle => 0,
            Phase::Head => 1,
            Phase::Beyond => 2,
        };
        self.0.store(value, Ordering::Relaxed);
    }
}
