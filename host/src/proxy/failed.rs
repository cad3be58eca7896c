//! Handles a failed attempt: records it for the module and the log, and asks `retry` whether another may follow.

use std::time::Instant;

use pingora::Error;
use pingora::ErrorType;
use pingora::proxy::Session;
use pointsman_rules::contract;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::retry::{self, Body, ConnectionError, Failed, Idempotent, Progress, Time};

use crate::answer::Failure;
use crate::proxy::attempt::FailureFacts;
use crate::proxy::context::{Context, Next};
use crate::resolve::Hop;

/// resolve: the address did not answer. Returns whether the same attempt continues with another address of the same
/// name. Nothing was sent, so that is always safe.
pub fn try_next_address(session: &Session, ctx: &mut Context, what: &FailureFacts) -> bool {
    let (Some(served), Some(Hop::Socket(address))) = (&ctx.served, &ctx.hop) else { return false };
    if !what.is_of_the_address() || !ctx.is_of_a_name() {
        return false;
    }
    served.tenant.unreachable.note(*address);
    if ctx.addresses.len() == 0 || body(session) == Body::Gone {
        return false;
    }
    ctx.next = Next::Address;
    true
}

/// retry: records a failed attempt and returns whether another may follow.
pub fn note_attempt(session: &Session, ctx: &mut Context, what: FailureFacts, detail: String) -> bool {
    let address = ctx.route.as_ref().map(|route| route.peer.connection.target.to_string());
    let address = address.unwrap_or_default();
    ctx.failed.push(contract::Attempt {
        number: ctx.attempts,
        address: address.clone(),
        stage: what.stage,
        failure: what.failure,
        status: what.status,
        reused_connection: what.reused,
        request_sent: what.progress != Progress::NothingSent,
        elapsed_ms: u32::try_from(ctx.attempt_start.elapsed().as_millis()).unwrap_or(u32::MAX),
        detail: detail.clone(),
    });
    ctx.failure = Some(match what.exhausted {
        Some(cause) => Failure::Exhausted { address, cause },
        None => Failure::Upstream { stage: what.stage, failure: what.failure, address, detail },
    });
    let retry = retry::may_retry(question(session, ctx, ctx.attempts_allowed(), what.progress));
    if let Some(served) = &ctx.served {
        let tenant = &served.tenant;
        tenant.metrics.attempt_failed(what.failure.name());
        // A lack of the proxy's own resources does not count as a failure of the upstream.
        if let Some(under_way) = ctx.under_way.take()
            && what.exhausted.is_none()
        {
            tenant.stores.upstreams.failed(&under_way, Instant::now());
        }
        if !retry && ctx.attempts >= tenant.config.limits.of_any().attempts {
            tenant.metrics.over_budget(LimitKey::Attempts);
        }
    }
    if retry {
        // The next attempt determines the outcome.
        ctx.failure = None;
    }
    retry
}

pub fn question(session: &Session, ctx: &Context, allowed: u32, progress: Progress) -> Failed {
    Failed {
        attempts: ctx.attempts,
        allowed,
        time: if ctx.time_left().is_some() { Time::Left } else { Time::Over },
        progress,
        idempotent: Idempotent::of(&session.req_header().method),
        body: body(session),
    }
}

fn body(session: &Session) -> Body {
    if session.as_ref().retry_buffer_truncated() { Body::Gone } else { Body::Replayable }
}

/// The status of the final response, if it was written to the client. 100 and 103 are interim (RFC 9110, section 15.2).
pub fn final_status(session: &Session) -> Option<u16> {
    let status = session.response_written()?.status.as_u16();
    (status >= 200 || status == 101).then_some(status)
}

/// How far an attempt got that failed on an established connection.
pub fn progress(session: &Session, error: &Error) -> Progress {
    if final_status(session).is_some() {
        return Progress::Answered;
    }
    connection_error(error).progress()
}

/// Pingora marks the errors after which it would retry: of HTTP/2's, those that have a kind of their own here.
fn connection_error(error: &Error) -> ConnectionError {
    if error.retry != pingora::RetryType::Decided(true) {
        return ConnectionError::Other;
    }
    match error.etype() {
        ErrorType::H2Error => ConnectionError::StreamRefused,
        ErrorType::H2Downgrade => ConnectionError::Http11Required,
        ErrorType::InvalidH2 => ConnectionError::InvalidFrame,
        _ => ConnectionError::Other,
    }
}
