//! A decision as traffic gets it: `ask` within the tenant's quota, and what takes its place when it fails.

use std::time::Instant;

use crate::answer::{Failure, OverQuota};
use crate::ask::{Question, Wanted, ask};
use crate::call::{CallError, Decided};
use crate::check::{self, Refusal, Verdict};
use crate::metrics::Rung;
use crate::module::Module;
use crate::quota::{Change, Outcome};
use crate::raw;
use crate::tenant::Tenant;

/// What is done with a request.
#[derive(Debug)]
pub struct Decision {
    pub wanted: Result<Wanted, Failure>,
    /// What took the place of the modules' own decision, if anything had to.
    pub fallback: Option<Fallen>,
}

/// A decision that failed, and how far down the ladder that led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallen {
    pub rung: Rung,
    pub because: Failure,
}

/// Asks the tenant's modules; if they give no usable decision, its fallback: other modules, a peer, an answer. `seen` is
/// told of each module that was asked.
pub fn decide(question: Question<'_>, turn: &mut usize, mut seen: impl FnMut(&Module, &Decided)) -> Decision {
    match ask_within_quota(question, turn, &mut seen) {
        Ok(wanted) => Decision { wanted: Ok(wanted), fallback: None },
        Err(because) => fall_back(question, because, seen),
    }
}

/// What takes the place of a decision that failed, or could not be asked for.
pub fn fall_back(question: Question<'_>, because: Failure, mut seen: impl FnMut(&Module, &Decided)) -> Decision {
    let (rung, wanted) = rung(question, &because, &mut seen);
    question.tenant.metrics.fallback(rung);
    Decision { wanted: wanted.ok_or_else(|| because.clone()), fallback: Some(Fallen { rung, because }) }
}

fn ask_within_quota(
    question: Question<'_>,
    turn: &mut usize,
    seen: &mut impl FnMut(&Module, &Decided),
) -> Result<Wanted, Failure> {
    let (tenant, start) = (question.tenant, Instant::now());
    if tenant.usage.cpu.is_over(start) {
        tenant.metrics.over_budget("cpu_percent");
        return Err(OverQuota::Cpu { percent: tenant.usage.cpu_percent }.into());
    }
    let Some(admission) = tenant.usage.breaker.admit(start) else { return Err(Failure::BreakerOpen) };
    let wanted = ask(question, turn, |module, decided, verdict| note(tenant, module, decided, verdict, seen));
    match tenant.usage.breaker.note(admission, outcome(&wanted), Instant::now()) {
        None => {}
        Some(Change::Opened) => {
            let cause = wanted.as_ref().err().map(Failure::to_string).unwrap_or_default();
            tracing::warn!(tenant = %tenant.name, %cause, "too many failed decisions in a row: modules are not asked");
        }
        Some(Change::Closed) => tracing::info!(tenant = %tenant.name, "modules are asked again"),
    }
    wanted
}

/// Whether the breaker counts it. A module that declines or passes does what it is there for.
fn outcome(wanted: &Result<Wanted, Failure>) -> Outcome {
    match wanted {
        Ok(_) | Err(Failure::Call(CallError::Declined(_) | CallError::NoSlot) | Failure::NoDecision) => {
            Outcome::Success
        }
        Err(_) => Outcome::Failure,
    }
}

/// The rung that serves instead, and what it wants; None: the client gets the tenant's answer.
fn rung(question: Question<'_>, because: &Failure, seen: &mut impl FnMut(&Module, &Decided)) -> (Rung, Option<Wanted>) {
    let tenant = question.tenant;
    // A tenant that has used up its share of CPU gets none for its fallback either.
    if !tenant.fallback_modules.is_empty() && !matches!(because, Failure::OverQuota(_)) {
        let question = Question { modules: &tenant.fallback_modules, ..question };
        let wanted = ask(question, &mut 0, |module, decided, verdict| note(tenant, module, decided, verdict, seen));
        if let Ok(wanted) = wanted {
            return (Rung::Module, Some(wanted));
        }
    }
    match fallback_peer(question) {
        Some(Ok(wanted)) => (Rung::Peer, Some(wanted)),
        Some(Err(refusal)) => {
            // It passed at the start: a credential must have changed.
            tracing::error!(tenant = %tenant.name, %refusal, "the fallback's peer is refused");
            (Rung::Answer, None)
        }
        None => (Rung::Answer, None),
    }
}

fn fallback_peer(question: Question<'_>) -> Option<Result<Wanted, Refusal>> {
    let route = question.tenant.fallback_route.clone()?;
    Some(match check::check(raw::Decision::Connect(route), &question.tenant.policy(question.credentials)) {
        Ok(Verdict::Connect(route)) => Ok(Wanted::Connect(route)),
        Ok(Verdict::Respond(_) | Verdict::Pass) => return None,
        Err(refusal) => Err(refusal),
    })
}

/// Charges a decision to its tenant, and counts it.
fn note(
    tenant: &Tenant,
    module: &Module,
    decided: &Decided,
    verdict: &Result<Verdict, Failure>,
    seen: &mut impl FnMut(&Module, &Decided),
) {
    tenant.usage.decided(decided.elapsed, decided.end);
    tenant.metrics.decision(outcome_label(verdict), decided.elapsed);
    if let Err(Failure::Call(error)) = verdict
        && let Some(key) = error.limit_key()
    {
        tenant.metrics.over_budget(key);
    }
    if decided.log_cut {
        tenant.metrics.over_budget("log_bytes");
    }
    let refused = tenant.stores.shared.take_refused();
    if refused > 0 {
        tenant.metrics.over_budget_times("shared_bytes", refused);
    }
    seen(module, decided);
}

fn outcome_label(verdict: &Result<Verdict, Failure>) -> &'static str {
    match verdict {
        Ok(Verdict::Connect(_)) => "connect",
        Ok(Verdict::Respond(_)) => "respond",
        Ok(Verdict::Pass) => "pass",
        Err(Failure::Call(error)) => error.label(),
        Err(_) => "refused",
    }
}
