//! Translates Pingora's errors into the stage and failure of an attempt, as the WIT contract defines them.

use std::error::Error as StdError;

use pingora::connectors::l4::ConnectErrorExt;
use pingora::protocols::Digest;
use pingora::{Error, ErrorSource, ErrorType};
use pointsman_rules::check::SocketError;
use pointsman_rules::contract::{Failure as AttemptFailure, Stage};
use pointsman_rules::exhausted::Exhausted;
use pointsman_rules::retry::Progress;

use crate::answer::Failure;
use crate::peer::{ConnectProgress, NotHttp2, TunnelError, certificate_error};
use crate::resolve::ResolveError;

/// The facts about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureFacts {
    pub stage: Stage,
    pub failure: AttemptFailure,
    pub progress: Progress,
    pub reused: bool,
    pub status: Option<u16>,
    /// The resource that the proxy itself had run out of: then the failure says nothing about the upstream.
    pub exhausted: Option<Exhausted>,
}

impl FailureFacts {
    /// A failure before anything was sent to the upstream.
    fn unsent(stage: Stage, failure: AttemptFailure) -> FailureFacts {
        FailureFacts { stage, failure, progress: Progress::NothingSent, reused: false, status: None, exhausted: None }
    }

    /// A failure for lack of a resource of the proxy itself.
    fn exhausted(stage: Stage, exhausted: Exhausted) -> FailureFacts {
        FailureFacts { exhausted: Some(exhausted), ..FailureFacts::unsent(stage, AttemptFailure::Other) }
    }

    /// Whether another address of the same name may succeed.
    pub fn is_of_the_address(&self) -> bool {
        self.stage == Stage::Connect && self.exhausted.is_none()
    }
}

/// Stage and failure of a name that could not be resolved.
pub fn resolving(error: &ResolveError) -> FailureFacts {
    let failure = match error {
        ResolveError::NoAddress(_) | ResolveError::NoFamily(_) | ResolveError::Forbidden { .. } => {
            AttemptFailure::Unreachable
        }
        ResolveError::Timeout { .. } => AttemptFailure::Timeout,
        ResolveError::Exhausted { cause, .. } => return FailureFacts::exhausted(Stage::Resolve, *cause),
        ResolveError::Failed { .. } | ResolveError::TooMany(_) => AttemptFailure::Other,
    };
    FailureFacts::unsent(Stage::Resolve, failure)
}

/// Stage and failure of a Unix socket that the egress policy refuses or that is absent.
pub fn finding(error: &SocketError) -> FailureFacts {
    let failure = match error {
        SocketError::Forbidden { .. } => AttemptFailure::Unreachable,
        SocketError::Absent { .. } => AttemptFailure::Other,
    };
    FailureFacts::unsent(Stage::Connect, failure)
}

/// Stage and failure of an error before the connection was established. `reached` is None for a plain socket, with
/// neither TLS nor a tunnel.
pub fn connecting(error: &Error, reached: Option<&ConnectProgress>) -> FailureFacts {
    let stage = reached.map_or(Stage::Connect, ConnectProgress::stage);
    if let Some(tunnel) = error.root_cause().downcast_ref::<TunnelError>() {
        let (failure, status) = match tunnel {
            TunnelError::Refused(status) => (AttemptFailure::ProxyRefused, Some(status.as_u16())),
            TunnelError::Timeout(_) => (AttemptFailure::Timeout, None),
            TunnelError::Closed => (AttemptFailure::Closed, None),
            TunnelError::Protocol(_) => (AttemptFailure::Protocol, None),
        };
        return FailureFacts { status, ..FailureFacts::unsent(Stage::ConnectProxy, failure) };
    }
    if let Some(exhausted) = Exhausted::of_any(causes(error)) {
        return FailureFacts::exhausted(stage, exhausted);
    }
    match error.etype() {
        ErrorType::ConnectTimedout => FailureFacts::unsent(stage, AttemptFailure::Timeout),
        ErrorType::ConnectRefused => FailureFacts::unsent(stage, AttemptFailure::Refused),
        ErrorType::ConnectNoRoute => FailureFacts::unsent(stage, AttemptFailure::Unreachable),
        ErrorType::InvalidCert => FailureFacts::unsent(Stage::Tls, AttemptFailure::Certificate),
        ErrorType::TLSHandshakeTimedout => FailureFacts::unsent(Stage::Tls, AttemptFailure::Timeout),
        ErrorType::TLSHandshakeFailure | ErrorType::TLSWantX509Lookup => {
            FailureFacts::unsent(Stage::Tls, tls_failure(error))
        }
        ErrorType::HandshakeError | ErrorType::H2Error | ErrorType::InvalidH2 => {
            FailureFacts::unsent(Stage::Other, AttemptFailure::Protocol)
        }
        _ => FailureFacts::unsent(stage, AttemptFailure::Other),
    }
}

/// Stage and failure of an error on an established connection to the upstream, or of a status that fails the attempt.
pub fn proxying(error: &Error, status: Option<u16>, progress: Progress, reused: bool) -> FailureFacts {
    if *error.etype() == NOT_HTTP2 {
        return FailureFacts::unsent(Stage::Tls, AttemptFailure::Protocol);
    }
    let (stage, failure) = match status {
        Some(_) => (Stage::Receive, AttemptFailure::Status),
        None => on_connection(error),
    };
    let exhausted = if status.is_none() { Exhausted::of_any(causes(error)) } else { None };
    FailureFacts { stage, failure, progress, reused, status, exhausted }
}

/// The error of a connection whose server did not agree to HTTP/2.
const NOT_HTTP2: ErrorType = ErrorType::Custom("not HTTP/2");

/// Refuses a connection that negotiated HTTP/1.1 although the peer must speak HTTP/2: Pingora itself would use it.
/// Nothing has been sent, and the connection is not kept.
pub fn agreed(connection: Option<&Digest>) -> pingora::Result<()> {
    let tls = connection.and_then(|connection| connection.ssl_digest.as_ref());
    match tls.is_some_and(|tls| tls.extension.get::<NotHttp2>().is_some()) {
        true => {
            Err(Error::explain(NOT_HTTP2, "the upstream did not agree to HTTP/2 (ALPN), and `alpn` is `h2`").into_up())
        }
        false => Ok(()),
    }
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

/// A failure that the client or the proxy caused, not the upstream.
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

/// The cause of a failure, for the log and for `attempt.detail`: the innermost message that describes it.
pub fn cause(error: &Error) -> String {
    const MOST: usize = 256;
    let certificate = (*innermost(error).etype() == ErrorType::InvalidCert).then(certificate_error).flatten();
    let message = match (Exhausted::of_any(causes(error)), certificate) {
        (Some(exhausted), _) => exhausted.to_string(),
        (None, Some(reason)) => format!("the certificate did not pass: {reason}"),
        (None, None) => message(error),
    };
    pointsman_rules::text::printable(message.trim(), MOST).0
}

/// The message of Pingora's innermost error, or of the error that it wraps.
fn message(error: &Error) -> String {
    let inner = innermost(error);
    let context = inner.context.as_ref().map(|context| context.as_str());
    // For a timeout, only the context says which one it was and how long it took.
    let is_timeout = matches!(
        inner.etype(),
        ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout
    );
    // Pingora adds the local address to a TLS error as if it were the cause.
    let has_cause =
        inner.cause.as_ref().is_some_and(|cause| inner.connect_local_addr().is_none() || cause.source().is_some());
    match (context, causes(inner).last()) {
        (Some(context), _) if is_timeout || !has_cause => context.to_owned(),
        (_, Some(cause)) if has_cause && is_http2(inner.etype()) => format!("HTTP/2: {cause}"),
        (_, Some(cause)) if has_cause => cause.to_string(),
        _ => inner.etype().as_str().to_owned(),
    }
}

/// Whether an error's message comes from HTTP/2, and so does not name the protocol.
fn is_http2(kind: &ErrorType) -> bool {
    matches!(kind, ErrorType::H2Error | ErrorType::InvalidH2 | ErrorType::H2Downgrade)
}

/// The innermost of Pingora's errors.
fn innermost(error: &Error) -> &Error {
    match error.cause.as_deref().and_then(|cause| cause.downcast_ref::<Box<Error>>()) {
        Some(inner) => innermost(inner),
        None => error,
    }
}

/// The causes beneath Pingora's errors, outermost first.
fn causes<'a>(error: &'a Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let cause = innermost(error).cause.as_deref().map(|cause| {
        let cause: &'a (dyn StdError + 'static) = cause;
        cause
    });
    std::iter::successors(cause, |&cause: &&'a (dyn StdError + 'static)| cause.source())
}

/// OpenSSL distinguishes a certificate that failed verification from other failures only in its message.
fn tls_failure(error: &Error) -> AttemptFailure {
    let message = error.to_string();
    if message.contains("certificate verify failed") { AttemptFailure::Certificate } else { AttemptFailure::Protocol }
}

#[cfg(test)]
mod tests {
    use std::io;

    use pingora::Result;
    use rustix::io::Errno;

    use super::*;

    /// A kernel error while a socket is created, as Pingora reports it.
    fn of_a_socket(errno: Errno) -> Box<Error> {
        let inner = Error::because(ErrorType::SocketError, "failed to create socket", io::Error::from(errno));
        Error::because(ErrorType::InternalError, "Fail to connect to addr: 192.0.2.1:80", inner)
    }

    #[test]
    fn what_the_proxy_lacks_is_nobody_elses_fault() {
        for (errno, exhausted) in [(Errno::MFILE, Exhausted::Descriptors), (Errno::NFILE, Exhausted::SystemDescriptors)]
        {
            let error = of_a_socket(errno);
            let what = connecting(&error, None);
            assert_eq!((what.stage, what.failure), (Stage::Connect, AttemptFailure::Other));
            assert_eq!((what.exhausted, what.progress), (Some(exhausted), Progress::NothingSent));
            assert!(!what.is_of_the_address(), "another address would need one as well");
            assert_eq!(cause(&error), exhausted.to_string());
        }
        assert_eq!(connecting(&of_a_socket(Errno::ADDRNOTAVAIL), None).exhausted, None);
        let name = ResolveError::Exhausted { name: "a.test".to_owned(), cause: Exhausted::Descriptors };
        assert_eq!(resolving(&name).exhausted, Some(Exhausted::Descriptors));
        assert!(name.to_string().contains("no file descriptors left"));
    }

    #[test]
    fn innermost_message_is_the_cause() {
        let refused =
            || Error::because(ErrorType::ConnectRefused, "Fail to connect", io::Error::from(Errno::CONNREFUSED));
        assert_eq!(cause(&refused()), "Connection refused (os error 111)");
        assert_eq!(cause(&refused().more_context("trying")), "Connection refused (os error 111)");
        let timeout: Result<()> =
            Error::e_because(ErrorType::ConnectTimedout, "timeout 1s connecting", io::Error::other("elapsed"));
        assert_eq!(timeout.map_err(|error| cause(&error)), Err("timeout 1s connecting".to_owned()));
        let handshake = Error::explain(ErrorType::TLSHandshakeFailure, "TLS connect() failed: unexpected EOF");
        assert_eq!(cause(&handshake.more_context("trying")), "TLS connect() failed: unexpected EOF");
        assert_eq!(cause(&Error::new(ErrorType::ConnectionClosed)), "ConnectionClosed");
        let frame = Error::because(ErrorType::H2Error, "while reading", io::Error::other("frame with invalid size"));
        assert_eq!(cause(&frame), "HTTP/2: frame with invalid size");
    }
}
