//! What failed, in the words of the WIT contract: from Pingora's errors to stage and failure.

use pingora::{Error, ErrorSource, ErrorType};

use crate::answer::Failure;
use crate::check::SocketError;
use crate::peer::{Reached, TunnelError};
use crate::raw::{Failure as AttemptFailure, Stage};
use crate::resolve::ResolveError;
use crate::retry::Progress;

/// What is known of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct What {
    pub stage: Stage,
    pub failure: AttemptFailure,
    pub progress: Progress,
    pub reused: bool,
    pub status: Option<u16>,
}

impl What {
    /// A failure before anything was sent to the upstream.
    fn unsent(stage: Stage, failure: AttemptFailure) -> What {
        What { stage, failure, progress: Progress::NothingSent, reused: false, status: None }
    }

    /// Whether another address of the same name may do better.
    pub fn is_of_the_address(&self) -> bool {
        self.stage == Stage::Connect
    }
}

/// Stage and failure of a name that could not be resolved.
pub fn resolving(error: &ResolveError) -> What {
    let failure = match error {
        ResolveError::NoAddress(_) | ResolveError::NoFamily(_) | ResolveError::Forbidden { .. } => {
            AttemptFailure::Unreachable
        }
        ResolveError::Timeout { .. } => AttemptFailure::Timeout,
        ResolveError::Failed { .. } | ResolveError::TooMany(_) => AttemptFailure::Other,
    };
    What::unsent(Stage::Resolve, failure)
}

/// Stage and failure of a Unix socket to which no connection is made.
pub fn finding(error: &SocketError) -> What {
    let failure = match error {
        SocketError::Forbidden { .. } => AttemptFailure::Unreachable,
        SocketError::Absent { .. } => AttemptFailure::Other,
    };
    What::unsent(Stage::Connect, failure)
}

/// Stage and failure of an error that Pingora met before the connection stood. `reached` is None where there was nothing
/// but a socket to connect.
pub fn connecting(error: &Error, reached: Option<&Reached>) -> What {
    let stage = reached.map_or(Stage::Connect, Reached::stage);
    if let Some(tunnel) = error.root_cause().downcast_ref::<TunnelError>() {
        let (failure, status) = match tunnel {
            TunnelError::Refused(status) => (AttemptFailure::ProxyRefused, Some(status.as_u16())),
            TunnelError::Timeout(_) => (AttemptFailure::Timeout, None),
            TunnelError::Closed => (AttemptFailure::Closed, None),
            TunnelError::Protocol(_) => (AttemptFailure::Protocol, None),
        };
        return What { status, ..What::unsent(Stage::ConnectProxy, failure) };
    }
    match error.etype() {
        ErrorType::ConnectTimedout => What::unsent(stage, AttemptFailure::Timeout),
        ErrorType::ConnectRefused => What::unsent(stage, AttemptFailure::Refused),
        ErrorType::ConnectNoRoute => What::unsent(stage, AttemptFailure::Unreachable),
        ErrorType::InvalidCert => What::unsent(Stage::Tls, AttemptFailure::Certificate),
        ErrorType::TLSHandshakeTimedout => What::unsent(Stage::Tls, AttemptFailure::Timeout),
        ErrorType::TLSHandshakeFailure | ErrorType::TLSWantX509Lookup => What::unsent(Stage::Tls, tls_failure(error)),
        ErrorType::HandshakeError | ErrorType::H2Error | ErrorType::InvalidH2 => {
            What::unsent(Stage::Other, AttemptFailure::Protocol)
        }
        _ => What::unsent(stage, AttemptFailure::Other),
    }
}

/// Stage and failure of an error on an established connection to the upstream, or of a status that fails the attempt.
pub fn proxying(error: &Error, status: Option<u16>, progress: Progress, reused: bool) -> What {
    let (stage, failure) = match status {
        Some(_) => (Stage::Receive, AttemptFailure::Status),
        None => on_connection(error),
    };
    What { stage, failure, progress, reused, status }
}

fn on_connection(error: &Error) -> (Stage, AttemptFailure) {
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
            ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::ConnectionClosed
            | ErrorType::WriteTimedout
            // HTTP/2: the client cancelled the stream.
            | ErrorType::H2Error,
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

/// OpenSSL tells a certificate that did not pass from other failures only in its message.
fn tls_failure(error: &Error) -> AttemptFailure {
    let message = error.to_string();
    if message.contains("certificate verify failed") { AttemptFailure::Certificate } else { AttemptFailure::Protocol }
}
