//! Writes a finished request's line in the access log.

use chrono::{SecondsFormat, Utc};
use http::Version;
use pingora::proxy::Session;
use pointsman_rules::contract::Failure;
use pointsman_rules::request;

use crate::log::{Access, AccessLogger, AttemptRecord, FailureRecord, FallbackRecord};
use crate::metrics::FallbackLevel;
use crate::proxy::attempt::Attempt;
use crate::proxy::context::Context;
use crate::proxy::failed::final_status;
use crate::resolve::Hop;

/// Writes the access log line of a request.
pub fn write(logger: &AccessLogger, session: &Session, ctx: &Context) {
    let request = session.req_header();
    let (served, elapsed) = (ctx.served.as_ref(), ctx.start.elapsed());
    let client = ctx.connection.as_ref().and_then(|connection| connection.client);
    let found = match served {
        Some(_) => None,
        None => Some(request::authority(&request.uri, &request.headers)),
    };
    logger.write(&Access {
        time: (Utc::now() - elapsed).to_rfc3339_opts(SecondsFormat::Millis, true),
        listener: ctx.connection.as_ref().map_or("", |connection| &connection.listener.name),
        client_ip: client.map(|ip| ip.to_string()).unwrap_or_default(),
        method: request.method.as_str(),
        authority: served.map(|served| served.head.authority()).or(found.as_deref()).unwrap_or_default(),
        path: served.map_or_else(|| request.uri.path(), |served| served.head.path()),
        protocol: protocol(request.version),
        status: final_status(session).unwrap_or(0),
        bytes: session.body_bytes_sent(),
        duration_ms: elapsed.as_secs_f64() * 1000.0,
        tenant: served.map(|served| &*served.tenant.name),
        version: served.map(|served| served.version.number),
        module: ctx.decided.module.map(|digest| digest.to_string()),
        decision: ctx.decided.kind,
        cached: ctx.decided.is_cached,
        decision_us: u64::try_from(ctx.decided.time.as_micros()).unwrap_or(u64::MAX),
        // `error` already says that the client got the failure answer, and why.
        fallback: ctx.decided.fallback.as_ref().filter(|taken| taken.level != FallbackLevel::Answer).map(|taken| {
            FallbackRecord {
                level: taken.level.name(),
                code: taken.reason.answer().code,
                cause: taken.reason.to_string(),
            }
        }),
        note: ctx.route().and_then(|route| route.note.as_deref()),
        upstream: ctx.route().map(|route| route.peer.connection.target.to_string()),
        upstream_address: ctx.attempt.as_ref().and_then(Attempt::address).map(Hop::to_string),
        attempts: ctx.attempts,
        failed_attempts: ctx.failed.iter().map(failed_attempt).collect(),
        error: ctx
            .failure
            .as_ref()
            .map(|failure| FailureRecord { code: failure.answer().code, cause: failure.to_string() }),
    });
}

fn failed_attempt(attempt: &pointsman_rules::contract::Attempt) -> AttemptRecord {
    AttemptRecord {
        upstream: attempt.address.clone(),
        failure: match (attempt.failure, attempt.status) {
            (failure @ (Failure::Status | Failure::ProxyRefused), Some(status)) => {
                format!("{}-{status}", failure.name())
            }
            _ => format!("{}-{}", attempt.stage.name(), attempt.failure.name()),
        },
        elapsed_ms: attempt.elapsed_ms,
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP",
    }
}
