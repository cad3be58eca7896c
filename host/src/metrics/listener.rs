//! The metrics of one listener: its connections, and clients that never sent a complete request.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use crate::metrics::families::ListenerFamilies;

/// Labelled with the listener's name from the configuration.
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

/// Counts an open connection until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ListenerMetrics {
    pub(super) fn new(families: &ListenerFamilies, name: &str) -> ListenerMetrics {
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

    /// Counts a connection that was opened.
    pub fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    pub fn accept_error(&self) {
        self.accept_errors.inc();
    }

    /// Counts a connection that was closed on arrival.
    pub fn refused_connection(&self, reason: &'static str) {
        self.refused_connections.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// Counts a connection that was closed because its client was silent, or because of the bytes it sent.
    pub fn closed(&self, reason: &'static str) {
        self.closed_connections.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// Counts a request that the door refused.
    pub fn refused_request(&self, reason: &'static str) {
        self.refused_requests.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// Counts a TLS handshake that ended.
    pub fn handshake(&self, outcome: &'static str) {
        self.handshakes.with_label_values(&[self.name.as_str(), outcome]).inc();
    }
}
