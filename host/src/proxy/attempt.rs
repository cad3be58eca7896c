//! What failed, in the words of the WIT contract: from Pingora's errors to stage and failure.

use pingora::{Error, ErrorSource, ErrorType};

use crate::answer::Failure;
use crate::raw::{Failure as AttemptFailure, Stage};

/// Stage and failure of an error that Pingora met before the connection stood.
pub fn connecting(error: &Error) -> (Stage, AttemptFailure) {
    match error.etype() {
        ErrorType::ConnectTimedout => (connect_or_tls(error), AttemptFailure::Timeout),
        ErrorType::ConnectRefused => (Stage::Connect, AttemptFailure::Refused),
        ErrorType::ConnectNoRoute => (Stage::Connect, AttemptFailure::Unreachable),
        ErrorType::TLSHandshakeTimedout => (Stage::Tls, AttemptFailure::Timeout),
        ErrorType::InvalidCert => (Stage::Tls, AttemptFailure::Certificate),
        ErrorType::TLSHandshakeFailure | ErrorType::TLSWantX509Lookup => (Stage::Tls, tls_failure(error)),
        ErrorType::HandshakeError | ErrorType::H2Error | ErrorType::InvalidH2 => {
            (Stage::Other, AttemptFailure::Protocol)
        }
        ErrorType::ConnectProxyFailure => (Stage::ConnectProxy, AttemptFailure::ProxyRefused),
        _ => (Stage::Connect, AttemptFailure::Other),
    }
}

/// Stage and failure of an error on an established connection to the upstream.
pub fn proxying(error: &Error) -> (Stage, AttemptFailure) {
    match error.etype() {
        ErrorType::ReadTimedout => (Stage::Receive, AttemptFailure::Timeout),
        ErrorType::WriteTimedout => (Stage::Send, AttemptFailure::Timeout),
        ErrorType::WriteError => (Stage::Send, AttemptFailure::Closed),
        ErrorType::ReadError | ErrorType::ConnectionClosed => (Stage::Receive, AttemptFailure::Closed),
        ErrorType::InvalidHTTPHeader
        | ErrorType::H1Error
        | ErrorType::H2Error
        | ErrorType::InvalidH2
        | ErrorType::H2Downgrade => (Stage::Receive, AttemptFailure::Protocol),
        _ => (Stage::Other, AttemptFailure::Other),
    }
}

/// A failure that is not the upstream's: the client's, or our own.
pub fn elsewhere(error: &Error) -> Failure {
    match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Failure::RequestTimeout,
        (
            ErrorSource::Downstream,
            ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed | ErrorType::WriteTimedout,
        ) => Failure::ClientClosed,
        (ErrorSource::Downstream, _) => Failure::BadRequest(cause(error)),
        (ErrorSource::Upstream | ErrorSource::Internal | ErrorSource::Unset, _) => Failure::Internal(cause(error)),
    }
}

/// The innermost message of an error, for the log and for `attempt.detail`.
pub fn cause(error: &Error) -> String {
    const MOST: usize = 256;
    let root = error.root_cause().to_string();
    crate::text::printable(root.trim(), MOST).0
}

/// Pingora gives both phases the same error type; its message for the second speaks of the server.
fn connect_or_tls(error: &Error) -> Stage {
    let message = error.to_string();
    if message.contains("connecting to server") && message.contains("scheme: HTTPS") {
        Stage::Tls
    } else {
        Stage::Connect
    }
}

/// OpenSSL tells a certificate that did not pass from other failures only in its message.
fn tls_failure(error: &Error) -> AttemptFailure {
    let message = error.to_string();
    if message.contains("certificate verify failed") { AttemptFailure::Certificate } else { AttemptFailure::Protocol }
}
