//! Answers that the proxy itself gives: the one place that turns a failure into a status and a code.
//!
//! The client sees the status and the code, which distinguishes the proxy's own 502 from the upstream's; the cause goes
//! to the access log. `docs/errors.md` lists the codes for operators, and a test compares the list with this file.

use http::StatusCode;
use pointsman_rules::check::Refusal;
use pointsman_rules::config::FailureAnswer;
use pointsman_rules::contract::{Failure as AttemptFailure, Stage};
use pointsman_rules::exhausted::Exhausted;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::request::Refusal as DoorRefusal;
use pointsman_wasm::call::CallError;

use crate::peer::PeerError;

/// A request that the proxy could not serve.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Failure {
    #[error("{0}")]
    Door(DoorRefusal),
    #[error("`expect: 100-continue` over HTTP/2, where no interim response can be sent, and no body within 3 s")]
    Expectation,
    #[error("{0}")]
    Overloaded(&'static str),
    #[error("the request is malformed: {0}")]
    BadRequest(String),
    #[error("the client sent its body too slowly")]
    RequestTimeout,
    #[error("the client disconnected")]
    ClientClosed,
    #[error("no tenant has the hostname `{0}`")]
    NoTenant(String),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the decision was refused: {0}")]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("every module passed")]
    NoDecision,
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    #[error("the modules failed too often in a row and are not called for now (breaker)")]
    BreakerOpen,
    #[error("the tenant has more than {limit} requests in flight ({})", LimitKey::ConcurrentRequests)]
    TooManyRequests { limit: usize },
    #[error("the tenant is drained: it takes no new requests until an operator resumes it")]
    Drained,
    #[error("{address}: {detail}")]
    Upstream { stage: Stage, failure: AttemptFailure, address: String, detail: String },
    #[error("{address}: {cause}")]
    Exhausted { address: String, cause: Exhausted },
    #[error("internal: {0}")]
    Internal(String),
}

/// The tenant has used up a quota, so its modules are not called or its new peer is not connected.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum OverQuota {
    #[error("the tenant's decisions took more than {percent} % of the worker threads' time ({})", LimitKey::CpuPercent)]
    Cpu { percent: u32 },
    #[error("more than {limit} decisions of the tenant at the same time ({})", LimitKey::ConcurrentDecisions)]
    Decisions { limit: usize },
    #[error("more than {limit} new peers with `alpn: h2h1` in a minute ({})", LimitKey::Peers)]
    Peers { limit: usize },
}

/// Status and code of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    /// The value of the response header `pointsman-error`.
    pub code: &'static str,
}

impl Failure {
    /// The match has no `_` arm, so that a new failure must choose its status.
    pub fn answer(&self) -> Answer {
        let (status, code) = match self {
            Failure::Door(refusal) => (refusal.status(), refusal.code()),
            Failure::Expectation => (StatusCode::EXPECTATION_FAILED, "expectation"),
            Failure::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Failure::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Failure::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request-timeout"),
            Failure::ClientClosed => (StatusCode::BAD_REQUEST, "client-closed"),
            Failure::NoTenant(_) => (StatusCode::NOT_FOUND, "no-tenant"),
            Failure::Call(error) => call_answer(error),
            Failure::Refused(_) => (StatusCode::INTERNAL_SERVER_ERROR, "decision-refused"),
            Failure::Peer(_) => (StatusCode::INTERNAL_SERVER_ERROR, "decision-refused"),
            Failure::NoDecision => (StatusCode::SERVICE_UNAVAILABLE, "no-decision"),
            Failure::OverQuota(OverQuota::Cpu { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "quota-cpu"),
            Failure::OverQuota(OverQuota::Decisions { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "quota-decisions"),
            Failure::OverQuota(OverQuota::Peers { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "quota-peers"),
            Failure::BreakerOpen => (StatusCode::SERVICE_UNAVAILABLE, "breaker-open"),
            Failure::TooManyRequests { .. } => (StatusCode::SERVICE_UNAVAILABLE, "quota-requests"),
            Failure::Drained => (StatusCode::SERVICE_UNAVAILABLE, "tenant-drained"),
            Failure::Upstream { stage, failure, .. } => upstream_answer(*stage, *failure),
            Failure::Exhausted { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Failure::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Answer { status, code }
    }

    /// The status that the client gets: the tenant's own if its modules failed and one is configured.
    pub fn status(&self, tenant: Option<&FailureAnswer>) -> StatusCode {
        let own = tenant.filter(|_| self.is_the_modules()).and_then(|own| own.status);
        own.unwrap_or_else(|| self.answer().status)
    }

    /// Whether the modules were called and none decided: one declined, or all passed.
    pub fn is_declined(&self) -> bool {
        matches!(self, Failure::Call(CallError::Declined(_)) | Failure::NoDecision)
    }

    /// Whether a module misbehaved. The breaker counts defects, and they may roll back a new version. Declining and
    /// passing are legitimate answers, not defects.
    pub fn is_defect(&self) -> bool {
        match self {
            Failure::Call(error) => {
                !matches!(error, CallError::Declined(_) | CallError::NoSlot | CallError::Exhausted(_))
            }
            Failure::Refused(_) | Failure::Peer(_) => true,
            Failure::Door(_)
            | Failure::Expectation
            | Failure::Overloaded(_)
            | Failure::BadRequest(_)
            | Failure::RequestTimeout
            | Failure::ClientClosed
            | Failure::NoTenant(_)
            | Failure::NoDecision
            | Failure::OverQuota(_)
            | Failure::BreakerOpen
            | Failure::TooManyRequests { .. }
            | Failure::Drained
            | Failure::Upstream { .. }
            | Failure::Exhausted { .. }
            | Failure::Internal(_) => false,
        }
    }

    /// Whether the tenant's modules gave no usable decision, so that its own failure answer (`[tenant.failure]`)
    /// replaces the status above.
    pub fn is_the_modules(&self) -> bool {
        match self {
            Failure::Call(_)
            | Failure::Refused(_)
            | Failure::Peer(_)
            | Failure::NoDecision
            | Failure::OverQuota(_)
            | Failure::BreakerOpen => true,
            Failure::Door(_)
            | Failure::Expectation
            | Failure::Overloaded(_)
            | Failure::BadRequest(_)
            | Failure::RequestTimeout
            | Failure::ClientClosed
            | Failure::NoTenant(_)
            | Failure::TooManyRequests { .. }
            | Failure::Drained
            | Failure::Upstream { .. }
            | Failure::Exhausted { .. }
            | Failure::Internal(_) => false,
        }
    }
}

fn call_answer(error: &CallError) -> (StatusCode, &'static str) {
    match error {
        CallError::Declined(_) => (StatusCode::INTERNAL_SERVER_ERROR, "module-declined"),
        CallError::Budget { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-budget"),
        CallError::Memory { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-memory"),
        CallError::Table { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-table"),
        CallError::HostCalls { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-host-calls"),
        CallError::HostCall { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-host-call"),
        CallError::Handles { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-handles"),
        CallError::Exit { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-exit"),
        CallError::StackOverflow(_) => (StatusCode::INTERNAL_SERVER_ERROR, "module-stack"),
        CallError::Trap { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "module-trap"),
        CallError::NoSlot | CallError::Exhausted(_) => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    }
}

fn upstream_answer(stage: Stage, failure: AttemptFailure) -> (StatusCode, &'static str) {
    let code = match failure {
        AttemptFailure::Timeout => {
            let code = match stage {
                Stage::Resolve => "upstream-resolve-timeout",
                Stage::Connect => "upstream-connect-timeout",
                Stage::ConnectProxy => "upstream-proxy-timeout",
                Stage::Tls => "upstream-tls-timeout",
                Stage::Send => "upstream-write-timeout",
                Stage::Receive => "upstream-read-timeout",
                Stage::Other => "upstream-timeout",
            };
            return (StatusCode::GATEWAY_TIMEOUT, code);
        }
        AttemptFailure::Refused => "upstream-refused",
        AttemptFailure::Unreachable if stage == Stage::Resolve => "upstream-resolve",
        AttemptFailure::Unreachable => "upstream-unreachable",
        AttemptFailure::Closed if stage == Stage::ConnectProxy => "upstream-proxy",
        AttemptFailure::Closed => "upstream-closed",
        AttemptFailure::Certificate => "upstream-certificate",
        AttemptFailure::ProxyRefused => "upstream-proxy-refused",
        AttemptFailure::Status => "upstream-status",
        AttemptFailure::Protocol => match stage {
            Stage::Tls => "upstream-tls",
            Stage::ConnectProxy => "upstream-proxy",
            Stage::Resolve | Stage::Connect | Stage::Send | Stage::Receive | Stage::Other => "upstream-protocol",
        },
        AttemptFailure::Other => match stage {
            Stage::Resolve => "upstream-resolve",
            Stage::Connect => "upstream-connect",
            Stage::ConnectProxy => "upstream-proxy",
            Stage::Tls => "upstream-tls",
            Stage::Send | Stage::Receive | Stage::Other => "upstream-error",
        },
    };
    (StatusCode::BAD_GATEWAY, code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pointsman_wasm::call::Frames;
    use pointsman_wasm::wasi::ExitStatus;

    use super::*;

    /// Every kind of failure.
    fn all() -> Vec<Failure> {
        let calls = [
            CallError::Declined(String::new()),
            CallError::Budget { budget_ms: 0, frames: Frames::default() },
            CallError::Memory { limit: 0, frames: Frames::default() },
            CallError::Table { limit: 0 },
            CallError::HostCall { limit: 0 },
            CallError::HostCalls { limit: 0, frames: Frames::default() },
            CallError::Handles { limit: 0 },
            CallError::Exit { status: ExitStatus::Code(3), frames: Frames::default() },
            CallError::StackOverflow(Frames::default()),
            CallError::NoSlot,
            CallError::Exhausted(Exhausted::Memory),
            CallError::Trap { cause: String::new(), frames: Frames::default() },
        ];
        let mut all = vec![
            Failure::Expectation,
            Failure::Overloaded(""),
            Failure::BadRequest(String::new()),
            Failure::RequestTimeout,
            Failure::ClientClosed,
            Failure::NoTenant(String::new()),
            Failure::Refused(pointsman_rules::check::Problem::Rule("").at("")),
            Failure::Peer(PeerError::Path),
            Failure::NoDecision,
            Failure::OverQuota(OverQuota::Cpu { percent: 0 }),
            Failure::OverQuota(OverQuota::Decisions { limit: 0 }),
            Failure::OverQuota(OverQuota::Peers { limit: 0 }),
            Failure::BreakerOpen,
            Failure::TooManyRequests { limit: 0 },
            Failure::Drained,
            Failure::Exhausted { address: String::new(), cause: Exhausted::Descriptors },
            Failure::Internal(String::new()),
        ];
        all.extend(calls.map(Failure::Call));
        all.extend(DoorRefusal::ALL.map(Failure::Door));
        for stage in Stage::ALL {
            for failure in AttemptFailure::ALL {
                all.push(Failure::Upstream { stage, failure, address: String::new(), detail: String::new() });
            }
        }
        all
    }

    #[test]
    fn documented_codes_are_the_real_ones() {
        let docs = include_str!("../../docs/errors.md");
        let rows = docs.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`'));
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        });
        let documented: BTreeSet<_> = rows.collect();
        let mut real: BTreeSet<_> = all()
            .iter()
            .map(Failure::answer)
            .map(|answer| (answer.code.to_owned(), answer.status.as_u16().to_string()))
            .collect();
        // Logged before there is a request, without a `Failure`.
        real.insert(("too-many-streams".to_owned(), "0".to_owned()));
        real.insert(("tls-handshake".to_owned(), "0".to_owned()));
        real.insert(("tls-handshake-timeout".to_owned(), "0".to_owned()));
        assert_eq!(documented, real);
    }

    #[test]
    fn tenants_answer_stands_for_its_modules_failures_only() {
        let own = FailureAnswer { status: Some(StatusCode::IM_A_TEAPOT), ..FailureAnswer::default() };
        assert_eq!(Failure::NoDecision.status(Some(&own)), StatusCode::IM_A_TEAPOT);
        assert_eq!(Failure::NoDecision.status(None), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(Failure::NoTenant(String::new()).status(Some(&own)), StatusCode::NOT_FOUND);
    }
}
