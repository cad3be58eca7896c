//! Reports clients that never completed a request: in the access log, with their address, and in the metrics.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{SecondsFormat, Utc};
use pointsman_rules::request::Refusal;

use crate::log::{Access, AccessLogger, FailureRecord};
use crate::metrics::ListenerMetrics;

/// Why the door closed a connection without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent nothing at all.
    Silent,
    /// The client sent nothing after its last request.
    Idle,
    /// The client does not read.
    Sending,
    /// HTTP/2: the connection or its requests violated the protocol.
    Protocol,
}

impl CloseReason {
    fn reason(self) -> &'static str {
        match self {
            CloseReason::Silent => "first-byte-timeout",
            CloseReason::Idle => "keepalive-timeout",
            CloseReason::Sending => "send-timeout",
            CloseReason::Protocol => "protocol",
        }
    }
}

/// Writes the reports of one connection.
#[derive(Debug)]
pub struct Reporter {
    listener: Arc<str>,
    client: Option<IpAddr>,
    access: AccessLogger,
    metrics: Arc<ListenerMetrics>,
    /// Bytes that were written to the client, including HTTP framing but not TLS records.
    written: AtomicU64,
}

/// Bytes of a cause that are logged, at most.
const LONGEST_CAUSE: usize = 256;

impl Reporter {
    pub fn new(
        listener: Arc<str>,
        client: Option<IpAddr>,
        access: AccessLogger,
        metrics: Arc<ListenerMetrics>,
    ) -> Reporter {
        Reporter { listener, client, access, metrics, written: AtomicU64::new(0) }
    }

    /// Reports a request whose head was refused. `bytes`: size of the whole answer.
    pub fn refused(&self, refusal: Refusal, bytes: usize) {
        self.metrics.refused_request(refusal.reason());
        self.log("HTTP/1", refusal.status().as_u16(), bytes, refusal.code(), refusal.to_string());
    }

    /// Counts a request whose body was refused; the reason is in the request's own line of the access log.
    pub fn refused_body(&self, refusal: Refusal) {
        self.metrics.refused_request(refusal.reason());
    }

    /// Reports an HTTP/2 stream that the library or the door refused before the application saw it.
    pub fn refused_stream(&self, status: u16, code: &'static str, cause: &'static str) {
        self.metrics.refused_request(code);
        self.log("HTTP/2", status, 0, code, cause.to_owned());
    }

    pub fn closed(&self, why: CloseReason) {
        self.metrics.closed(why.reason());
    }

    /// Reports a TLS handshake that was not completed.
    pub fn handshake_failed(&self, outcome: &'static str, cause: &str) {
        self.metrics.handshake(outcome);
        self.log("TLS", 0, 0, outcome, pointsman_rules::text::printable(cause, LONGEST_CAUSE).0);
    }

    pub fn handshake_completed(&self) {
        self.metrics.handshake("completed");
    }

    pub fn written(&self, bytes: usize) {
        self.written.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes written to the client so far.
    pub fn written_so_far(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn log(&self, protocol: &'static str, status: u16, bytes: usize, code: &'static str, cause: String) {
        if !self.access.is_on() {
            return;
        }
        self.access.write(&Access {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            listener: &self.listener,
            client_ip: self.client.map(|ip| ip.to_string()).unwrap_or_default(),
            method: "",
            authority: "",
            path: "",
            protocol,
            status,
            bytes,
            duration_ms: 0.0,
            tenant: None,
            version: None,
            module: None,
            decision: None,
            cached: false,
            decision_us: 0,
            fallback: None,
            note: None,
            upstream: None,
            upstream_address: None,
            attempts: 0,
            failed_attempts: Vec::new(),
            error: Some(FailureRecord { code, cause }),
        });
    }
}
