//! Whether a connection is in the middle of a request head. Pingora's own timeout is for each read, so a client that
//! sends a header every few seconds would hold a connection for ever; the watch lets `stream` bound the whole head.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::door::heads::Heads;
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
#[derive(Debug)]
pub struct HeadWatch {
    phase: AtomicU8,
    /// Nothing came yet.
    silent: AtomicBool,
    heads: Arc<Heads>,
}

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
    /// Of a connection that is new.
    pub fn new(heads: Arc<Heads>) -> HeadWatch {
        heads.connected();
        HeadWatch { phase: AtomicU8::new(0), silent: AtomicBool::new(true), heads }
    }

    pub fn phase(&self) -> Phase {
        phase(self.phase.load(Ordering::Relaxed))
    }

    pub fn enter(&self, now: Phase) {
        let value = match now {
            Phase::Idle => 0,
            Phase::Head => 1,
            Phase::Beyond => 2,
        };
        let before = phase(self.phase.swap(value, Ordering::Relaxed));
        if now == Phase::Head && before != Phase::Head {
            self.heads.begun();
        }
        if now != Phase::Idle && self.silent.swap(false, Ordering::Relaxed) {
            self.heads.heard();
        }
        if now != Phase::Head && before == Phase::Head {
            self.heads.over();
        }
    }
}

impl Drop for HeadWatch {
    fn drop(&mut self) {
        self.enter(Phase::Beyond);
    }
}

fn phase(value: u8) -> Phase {
    match value {
        0 => Phase::Idle,
        1 => Phase::Head,
        _ => Phase::Beyond,
    }
}
