//! Handles a failed attempt: records it for the module and the log, and asks `retry` whether another may follow.

use pingora::Error;
use pingora::ErrorType;
use pingora::proxy::Session;
use pointsman_rules::retry::{self, Body, ConnectionError, FailedAttempt, Progress, Repetition, Time};

use crate::proxy::attempt::FailureFacts;
use crate::proxy::context::{Context, Next};
use crate::resolve::Hop;

/// resolve: the address did not answer. Returns whether the same attempt continues with another address of the same
/// name. Nothing was sent, so that is always safe.
pub fn try_next_address(session: &Session, ctx: &mut Context, what: &FailureFacts) -> bool {
    let Ok((attempt, served)) = ctx.current() else { return false };
    let Some(Hop::Socket(address)) = &attempt.hop else { return false };
    if !what.is_of_the_address() || !attempt.is_to_a_name() {
        return false;
    }
    served.tenant.unreachable.note(*address);
    if attempt.addresses.len() == 0 || body(session) == Body::Gone {
        return false;
    }
    ctx.next = Next::Address;
    true
}

/// retry: ends the current attempt as failed, and returns whether another may follow.
pub fn fail_attempt(session: &Session, ctx: &mut Context, facts: FailureFacts, detail: String) -> bool {
    let progress = facts.progress;
    let Ok((attempt, served)) = ctx.current() else { return false };
    let (record, failure) = attempt.fail(&served.tenant, facts, detail);
    ctx.failed.push(record);
    let retry = retry::may_retry(question(session, ctx, ctx.attempts_allowed(), progress));
    // If another attempt follows, that one determines the outcome.
    ctx.failure = (!retry).then_some(failure);
    if let Some(served) = ctx.served.as_ref().filter(|_| !retry) {
        served.tenant.note_last_attempt(ctx.attempts);
    }
    retry
}

pub fn question(session: &Session, ctx: &Context, allowed: u32, progress: Progress) -> FailedAttempt {
    FailedAttempt {
        attempts: ctx.attempts,
        allowed,
        time: if ctx.time_left().is_some() { Time::Left } else { Time::Over },
        progress,
        repetition: Repetition::of(&session.req_header().method),
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

/// Pingora marks the errors after which it would retry. A marked `H2Error` is REFUSED_STREAM or GOAWAY, a marked
/// `H2Downgrade` is HTTP_1_1_REQUIRED; a marked `InvalidH2` does not say whether the request was processed.
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
