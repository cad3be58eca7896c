//! A decision as traffic gets it: `ask` within the tenant's quota, and what takes its place when it fails.

use std::time::Instant;

use pointsman_rules::check::{Refusal, check};
use pointsman_rules::checked::Answer;
use pointsman_rules::contract;
use pointsman_rules::decision_cache::Found;
use pointsman_rules::quota::{Change, Outcome};
use pointsman_wasm::call::Decided;
use pointsman_wasm::module::Module;

use crate::answer::{Failure, OverQuota};
use crate::ask::{Question, Wanted, ask};
use crate::metrics::Rung;
use crate::release::{Judged, Serving, Version};
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

/// Whose decision it is.
#[derive(Clone, Copy)]
pub struct Released<'a> {
    pub serving: &'a Serving,
    pub version: &'a Version,
}

/// Asks a version of the tenant's modules; if it gives no usable decision, the tenant's fallback: the version before,
/// other modules, a peer, an answer. `seen` is told of each module that was asked.
pub fn decide(
    question: Question<'_>,
    released: Released<'_>,
    turn: &mut usize,
    mut seen: impl FnMut(&Module, &Decided),
) -> Decision {
    match ask_within_quota(question, released, turn, &mut seen) {
        Ok(wanted) => Decision { wanted: Ok(wanted), fallback: None },
        Err(because) => {
            let before = released.serving.in_place_of(released.version, Instant::now());
            fall_back(question, before.filter(|_| because.is_defect()).map(|version| &**version), because, seen)
        }
    }
}

/// The decision, if modules made it before for requests in which they read the same; nobody is asked. It costs the
/// tenant nothing, so no quota and no breaker stands before it. Modules that are known to pass have had their `turn`.
pub fn recall<'a>(question: Question<'a>, released: Released<'_>, turn: &mut usize) -> Option<(Wanted, &'a Module)> {
    let (tenant, recall) = (question.tenant, question.recall.filter(|recall| recall.is_on())?);
    while let Some(module) = question.modules.get(*turn) {
        if module.keeps_instances() {
            return None;
        }
        let wanted = match recall.find(module.root(), question.head) {
            Found::Answer(Answer::Connect(route)) => Wanted::Connect(route),
            Found::Answer(Answer::Respond(response)) => Wanted::Respond(response),
            Found::Answer(Answer::Pass) => {
                *turn += 1;
                continue;
            }
            Found::Unknown => {
                tenant.metrics.cache_miss();
                recall.missed(tenant.metrics.cache_hits());
                return None;
            }
            Found::NotLooked => {
                tenant.metrics.cache_rest();
                return None;
            }
        };
        tenant.metrics.cache_hit();
        if released.serving.is_on_trial(released.version) {
            let (serving, version) = (released.serving, released.version);
            tenant.releases.note(serving, version, Judged::Agreed, "", &tenant.config.release);
        }
        return Some((wanted, module));
    }
    None
}

/// What takes the place of a decision that failed, or could not be asked for. `before` is the version that served until
/// a moment ago.
pub fn fall_back(
    question: Question<'_>,
    before: Option<&Version>,
    because: Failure,
    mut seen: impl FnMut(&Module, &Decided),
) -> Decision {
    let (rung, wanted) = rung(question, before, &because, &mut seen);
    question.tenant.metrics.fallback(rung);
    Decision { wanted: wanted.ok_or_else(|| because.clone()), fallback: Some(Fallen { rung, because }) }
}

fn ask_within_quota(
    question: Question<'_>,
    released: Released<'_>,
    turn: &mut usize,
    seen: &mut impl FnMut(&Module, &Decided),
) -> Result<Wanted, Failure> {
    let (tenant, start) = (question.tenant, Instant::now());
    if tenant.usage.cpu.is_over(start) {
        tenant.metrics.over_budget("cpu_percent");
        return Err(OverQuota::Cpu { percent: tenant.usage.cpu_percent }.into());
    }
    let Some(admission) = tenant.usage.breaker.admit(start) else { return Err(Failure::BreakerOpen) };
    let wanted = ask(question, turn, |module, decided, answer| note(tenant, module, decided, answer, seen));
    if released.serving.is_on_trial(released.version)
        && let Some(judged) = judged(&wanted)
    {
        let because = wanted.as_ref().err().map(Failure::to_string).unwrap_or_default();
        tenant.releases.note(released.serving, released.version, judged, &because, &tenant.config.release);
    }
    let is_defect = wanted.as_ref().is_err_and(Failure::is_defect);
    let outcome = if is_defect { Outcome::Failure } else { Outcome::Success };
    match tenant.usage.breaker.note(admission, outcome, Instant::now()) {
        None => {}
        Some(Change::Opened) => {
            let cause = wanted.as_ref().err().map(Failure::to_string).unwrap_or_default();
            tracing::warn!(tenant = %tenant.name, %cause, "too many failed decisions in a row: modules are not asked");
        }
        Some(Change::Closed) => tracing::info!(tenant = %tenant.name, "modules are asked again"),
    }
    wanted
}

/// What a decision says of the version that made it. None: nothing, since it was not asked.
fn judged(wanted: &Result<Wanted, Failure>) -> Option<Judged> {
    match wanted {
        Ok(_) => Some(Judged::Agreed),
        Err(failure) if failure.is_defect() => Some(Judged::Failed),
        Err(failure) if failure.is_declined() => Some(Judged::Declined),
        Err(_) => None,
    }
}

/// The rung that serves instead, and what it wants; None: the client gets the tenant's answer.
fn rung(
    question: Question<'_>,
    before: Option<&Version>,
    because: &Failure,
    seen: &mut impl FnMut(&Module, &Decided),
) -> (Rung, Option<Wanted>) {
    let tenant = question.tenant;
    // A tenant that has used up its share of CPU gets none for its fallback either.
    let others = if matches!(because, Failure::OverQuota(_)) {
        [None, None]
    } else {
        [before.map(|version| (Rung::Version, &version.modules)), Some((Rung::Module, &tenant.fallback_modules))]
    };
    for (rung, modules) in others.into_iter().flatten().filter(|(_, modules)| !modules.is_empty()) {
        let question = Question { modules, recall: None, ..question };
        let wanted = ask(question, &mut 0, |module, decided, answer| note(tenant, module, decided, answer, seen));
        if let Ok(wanted) = wanted {
            return (rung, Some(wanted));
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
    let Question { tenant, terms, .. } = question;
    let route = tenant.fallback_route.as_ref()?;
    if let Some(route) = terms.fallback.get() {
        return Some(Ok(Wanted::Connect(route.clone())));
    }
    match check(contract::Decision::Connect(route.clone()), &tenant.policy(&terms.granted.names)).map(Answer::from) {
        Ok(Answer::Connect(route)) => {
            route.note_cached();
            Some(Ok(Wanted::Connect(terms.fallback.get_or_init(|| route).clone())))
        }
        Ok(Answer::Respond(_) | Answer::Pass) => None,
        Err(refusal) => Some(Err(refusal)),
    }
}

/// Charges a decision to its tenant, and counts it.
fn note(
    tenant: &Tenant,
    module: &Module,
    decided: &Decided,
    answer: &Result<Answer, Failure>,
    seen: &mut impl FnMut(&Module, &Decided),
) {
    tenant.usage.decided(decided.elapsed, decided.end);
    tenant.metrics.decision(outcome_label(answer), decided.elapsed, decided.instance);
    if let Err(Failure::Call(error)) = answer
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

fn outcome_label(answer: &Result<Answer, Failure>) -> &'static str {
    match answer {
        Ok(Answer::Connect(_)) => "connect",
        Ok(Answer::Respond(_)) => "respond",
        Ok(Answer::Pass) => "pass",
        Err(Failure::Call(error)) => error.label(),
        Err(_) => "refused",
    }
}
