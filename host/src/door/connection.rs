//! The state of one client's connection that the parts of the proxy share.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use pointsman_rules::request::{DownstreamTls, Refusal};

use crate::door::http2_streams::Streams;
use crate::door::listener::Listener;
use crate::door::pending::Pending;

/// The connection that the current task serves.
#[derive(Debug)]
pub struct Connection {
    pub listener: Arc<Listener>,
    /// None for a client on a Unix socket.
    pub client: Option<IpAddr>,
    pub tls: Option<Arc<DownstreamTls>>,
    pub protocol: Protocol,
}

/// The connection's protocol, with the state that belongs to it.
#[derive(Debug)]
pub enum Protocol {
    Http1(Arc<HeadPhase>),
    Http2(Arc<Streams>),
}

tokio::task_local! {
    pub static CONNECTION: Arc<Connection>;
}

impl Connection {
    /// None for HTTP/2: the frame codec bounds its heads in size, and the connection's timers bound them in time.
    pub fn phase(&self) -> Option<&HeadPhase> {
        match &self.protocol {
            Protocol::Http1(phase) => Some(phase),
            Protocol::Http2(_) => None,
        }
    }

    pub fn streams(&self) -> Option<&Arc<Streams>> {
        match &self.protocol {
            Protocol::Http1(_) => None,
            Protocol::Http2(streams) => Some(streams),
        }
    }

    /// Why the door ended the current request, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.phase().and_then(|phase| phase.refusal.get().copied())
    }
}

/// Phase of an HTTP/1 connection's current request, shared by the door's stream and the phases of the proxy, which run
/// in one task.
#[derive(Debug)]
pub struct HeadPhase {
    phase: AtomicU8,
    /// The client has sent nothing yet.
    silent: AtomicBool,
    /// The head of a final response is on its way to the client.
    answered: AtomicBool,
    /// The proxy waits for more of the request's body.
    awaits_body: AtomicBool,
    refusal: OnceLock<Refusal>,
    pending: Arc<Pending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Between requests: the next one may begin.
    Idle,
    /// A head has begun.
    Head,
    /// The head is complete: its request counts as in flight.
    Request,
    /// The connection is no longer HTTP/1: a tunnel, or HTTP/2.
    Raw,
}

impl HeadPhase {
    /// The phase of a new connection.
    pub fn new(pending: Arc<Pending>) -> HeadPhase {
        pending.connected();
        HeadPhase {
            phase: AtomicU8::new(0),
            silent: AtomicBool::new(true),
            answered: AtomicBool::new(false),
            awaits_body: AtomicBool::new(false),
            refusal: OnceLock::new(),
            pending,
        }
    }

    pub fn phase(&self) -> Phase {
        phase(self.phase.load(Ordering::Relaxed))
    }

    pub fn enter(&self, now: Phase) {
        let value = match now {
            Phase::Idle => 0,
            Phase::Head => 1,
            Phase::Request => 2,
            Phase::Raw => 3,
        };
        let before = phase(self.phase.swap(value, Ordering::Relaxed));
        if now == Phase::Idle {
            self.answered.store(false, Ordering::Relaxed);
            self.awaits_body.store(false, Ordering::Relaxed);
        }
        if now == Phase::Head && before != Phase::Head {
            self.pending.begun();
        }
        if now != Phase::Idle && self.silent.swap(false, Ordering::Relaxed) {
            self.pending.heard();
        }
        if now != Phase::Head && before == Phase::Head {
            self.pending.over();
        }
    }

    /// The head of the final response is on its way to the client.
    pub fn answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// The proxy is ready to forward more of the body, and none has arrived.
    pub fn await_body(&self) {
        self.awaits_body.store(true, Ordering::Relaxed);
    }

    /// A piece of the body has arrived.
    pub fn take_body(&self) {
        self.awaits_body.store(false, Ordering::Relaxed);
    }

    pub fn awaits_body(&self) -> bool {
        self.awaits_body.load(Ordering::Relaxed)
    }

    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// The door ends the current request, and with it the connection.
    pub fn refuse(&self, refusal: Refusal) {
        // The first one is the cause.
        let _ = self.refusal.set(refusal);
    }
}

impl Drop for HeadPhase {
    fn drop(&mut self) {
        self.enter(Phase::Raw);
    }
}

fn phase(value: u8) -> Phase {
    match value {
        0 => Phase::Idle,
        1 => Phase::Head,
        2 => Phase::Request,
        _ => Phase::Raw,
    }
}
