//! The metrics of one listener: its connections, and clients that never came to a request.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::metrics::Families;

/// Labelled by the listener's name, which is the configuration's.
#[derive(Debug)]
pub struct ListenerMetrics {
    name: String,
    connections: IntGauge,
    accept_errors: IntCounter,
    refused_connections: IntCounterVec,
    closed_connections: IntCounterVec,
    refused_requests: IntCounterVec,
    handshakes: IntCounterVec,
}

/// An open connection. It counts for as long as this lives.
#[derive(Debug)]
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ListenerMetrics {
    pub(super) fn new(families: &Families, name: &str) -> ListenerMetrics {
        ListenerMetrics {
            name: name.to_owned(),
            connections: families.connections.with_label_values(&[name]),
            accept_errors: families.accept_errors.with_label_values(&[name]),
            refused_connections: families.refused_connections.clone(),
            closed_connections: families.closed_connections.clone(),
            refused_requests: families.refused_requests.clone(),
            handshakes: families.handshakes.clone(),
        }
    }

    /// A connection is open.
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    pub fn accept_error(&self) {
        self.accept_errors.inc();
    }

    /// A connection that was closed as it came in.
    pub fn refused_connection(&self, reason: &'static str) {
        self.refused_connections.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// A connection that was closed for its client's silence, or for what it sent.
    pub fn closed(&self, reason: &'static str) {
        self.closed_connections.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// A request that the door did not take.
    pub fn refused_request(&self, reason: &'static str) {
        self.refused_requests.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// A TLS handshake that ended.
    pub fn handshake(&self, outcome: &'static str) {
        self.handshakes.with_label_values(&[self.name.as_str(), outcome]).inc();
    }
}
