//! Decisions for traffic: `evaluate` within the tenant's quota, and the tenant's fallback when that fails.

use std::time::Instant;

use pointsman_rules::check::{Refusal, check};
use pointsman_rules::checked::CheckedDecision;
use pointsman_rules::contract;
use pointsman_rules::decision_cache::Lookup;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::quota::{Change, Outcome};
use pointsman_wasm::call::CallReport;
use pointsman_wasm::module::Module;

use crate::answer::{Failure, OverQuota};
use crate::evaluate::{Action, Question, evaluate};
use crate::metrics::FallbackLevel;
use crate::release::{Judged, Serving, Version};
use crate::tenant::Tenant;

/// The outcome for a request: an action or a failure, and the fallback that was used.
#[derive(Debug)]
pub struct Decision {
    pub action: Result<Action, Failure>,
    /// The fallback that replaced the modules' own decision, if that failed.
    pub fallback: Option<FallbackTaken>,
}

/// The fallback level that was used, and the failure that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackTaken {
    pub level: FallbackLevel,
    pub because: Failure,
}

/// The version that decides, and the tenant's serving state that it was taken from.
#[derive(Clone, Copy)]
pub struct Released<'a> {
    pub serving: &'a Serving,
    pub version: &'a Version,
}

/// Evaluates one version of the tenant's modules. If it gives no usable decision, uses the tenant's fallback: the
/// previous version, other modules, a peer, or an answer. `on_called` receives each module that was called.
pub fn decide(
    question: Question<'_>,
    released: Released<'_>,
    next_module: &mut usize,
    mut on_called: impl FnMut(&Module, &CallReport),
) -> Decision {
    match evaluate_within_quota(question, released, next_module, &mut on_called) {
        Ok(action) => Decision { action: Ok(action), fallback: None },
        Err(because) => {
            let before = released.serving.in_place_of(released.version, Instant::now());
            fall_back(question, before.filter(|_| because.is_defect()).map(|version| &**version), because, on_called)
        }
    }
}

/// Returns the cached decision for a request in which the modules would read the same values, without calling them. A
/// hit costs the tenant nothing, so neither quota nor breaker applies. `next_module` advances past modules whose cached
/// decision is to pass.
pub fn cached<'a>(
    question: Question<'a>,
    released: Released<'_>,
    next_module: &mut usize,
) -> Option<(Action, &'a Module)> {
    let (tenant, cache) = (question.tenant, question.cache.filter(|cache| cache.is_on())?);
    while let Some(module) = question.modules.get(*next_module) {
        if module.keeps_instances() {
            return None;
        }
        let action = match cache.lookup(module.root(), question.head) {
            Lookup::Hit(CheckedDecision::Connect(route)) => Action::Connect(route),
            Lookup::Hit(CheckedDecision::Respond(response)) => Action::Respond(response),
            Lookup::Hit(CheckedDecision::Pass) => {
                *next_module += 1;
                continue;
            }
            Lookup::Miss => {
                tenant.metrics.cache_miss();
                cache.note_miss(tenant.metrics.cache_hits());
                return None;
            }
            Lookup::Skipped => {
                tenant.metrics.cache_skipped();
                return None;
            }
        };
        tenant.metrics.cache_hit();
        if released.serving.is_on_trial(released.version) {
            let (serving, version) = (released.serving, released.version);
            tenant.releases.note(serving, version, Judged::Agreed, "", &tenant.config.release);
        }
        return Some((action, module));
    }
    None
}

/// Replaces a decision that failed or could not be requested. `before` is the version that decides in place of the one
/// that failed, see [`Serving::in_place_of`].
pub fn fall_back(
    question: Question<'_>,
    before: Option<&Version>,
    because: Failure,
    mut on_called: impl FnMut(&Module, &CallReport),
) -> Decision {
    let (level, action) = level(question, before, &because, &mut on_called);
    question.tenant.metrics.fallback(level);
    Decision { action: action.ok_or_else(|| because.clone()), fallback: Some(FallbackTaken { level, because }) }
}

fn evaluate_within_quota(
    question: Question<'_>,
    released: Released<'_>,
    next_module: &mut usize,
    on_called: &mut impl FnMut(&Module, &CallReport),
) -> Result<Action, Failure> {
    let (tenant, start) = (question.tenant, Instant::now());
    if tenant.usage.cpu.is_over(start) {
        tenant.metrics.over_budget(LimitKey::CpuPercent);
        return Err(OverQuota::Cpu { percent: tenant.usage.cpu_percent }.into());
    }
    let Some(admission) = tenant.usage.breaker.admit(start) else { return Err(Failure::BreakerOpen) };
    let action =
        evaluate(question, next_module, |module, report, answer| note(tenant, module, report, answer, on_called));
    if released.serving.is_on_trial(released.version)
        && let Some(judged) = judged(&action)
    {
        let because = action.as_ref().err().map(Failure::to_string).unwrap_or_default();
        tenant.releases.note(released.serving, released.version, judged, &because, &tenant.config.release);
    }
    let is_defect = action.as_ref().is_err_and(Failure::is_defect);
    let outcome = if is_defect { Outcome::Failure } else { Outcome::Success };
    match admission.note(outcome, Instant::now()) {
        None => {}
        Some(Change::Opened) => {
            let cause = action.as_ref().err().map(Failure::to_string).unwrap_or_default();
            tracing::warn!(tenant = %tenant.name, %cause, "too many failed decisions in a row: modules are not asked");
        }
        Some(Change::Closed) => tracing::info!(tenant = %tenant.name, "modules are asked again"),
    }
    action
}

/// Judges a version on trial by one of its decisions. None: the modules are not the cause of the failure.
fn judged(action: &Result<Action, Failure>) -> Option<Judged> {
    match action {
        Ok(_) => Some(Judged::Agreed),
        Err(failure) if failure.is_defect() => Some(Judged::Failed),
        Err(failure) if failure.is_declined() => Some(Judged::Declined),
        Err(_) => None,
    }
}

/// Returns the fallback level that serves instead, and its action. No action: the client gets the tenant's failure
/// answer.
fn level(
    question: Question<'_>,
    before: Option<&Version>,
    because: &Failure,
    on_called: &mut impl FnMut(&Module, &CallReport),
) -> (FallbackLevel, Option<Action>) {
    let tenant = question.tenant;
    // A tenant that is over a quota gets no CPU time for its fallback modules either.
    let others = if matches!(because, Failure::OverQuota(_)) {
        [None, None]
    } else {
        [
            before.map(|version| (FallbackLevel::Version, &version.modules)),
            Some((FallbackLevel::Module, &tenant.fallback_modules)),
        ]
    };
    for (level, modules) in others.into_iter().flatten().filter(|(_, modules)| !modules.is_empty()) {
        let question = Question { modules, cache: None, ..question };
        let action =
            evaluate(question, &mut 0, |module, report, answer| note(tenant, module, report, answer, on_called));
        if let Ok(action) = action {
            return (level, Some(action));
        }
    }
    match fallback_peer(question) {
        Some(Ok(action)) => (FallbackLevel::Peer, Some(action)),
        Some(Err(refusal)) => {
            // It passed the check at startup, so a credential must have changed since.
            tracing::error!(tenant = %tenant.name, %refusal, "the fallback's peer is refused");
            (FallbackLevel::Answer, None)
        }
        None => (FallbackLevel::Answer, None),
    }
}

fn fallback_peer(question: Question<'_>) -> Option<Result<Action, Refusal>> {
    let Question { tenant, terms, .. } = question;
    let route = tenant.fallback_route.as_ref()?;
    if let Some(route) = terms.fallback.get() {
        return Some(Ok(Action::Connect(route.clone())));
    }
    match check(contract::Decision::Connect(route.clone()), &tenant.policy(&terms.granted.names))
        .map(CheckedDecision::from)
    {
        Ok(CheckedDecision::Connect(route)) => {
            route.note_cached();
            Some(Ok(Action::Connect(terms.fallback.get_or_init(|| route).clone())))
        }
        Ok(CheckedDecision::Respond(_) | CheckedDecision::Pass) => None,
        Err(refusal) => Some(Err(refusal)),
    }
}

/// Charges one module call to its tenant's quota and counts it in the metrics.
fn note(
    tenant: &Tenant,
    module: &Module,
    report: &CallReport,
    answer: &Result<CheckedDecision, Failure>,
    on_called: &mut impl FnMut(&Module, &CallReport),
) {
    tenant.usage.decided(report.elapsed, report.end);
    tenant.metrics.decision(outcome_label(answer), report.elapsed, report.instance);
    if let Err(Failure::Call(error)) = answer
        && let Some(key) = error.limit_key()
    {
        tenant.metrics.over_budget(key);
    }
    if report.log_cut {
        tenant.metrics.over_budget(LimitKey::LogBytes);
    }
    let refused = tenant.stores.shared.take_refused();
    if refused > 0 {
        tenant.metrics.over_budget_times(LimitKey::SharedBytes, refused);
    }
    on_called(module, report);
}

fn outcome_label(answer: &Result<CheckedDecision, Failure>) -> &'static str {
    match answer {
        Ok(CheckedDecision::Connect(_)) => "connect",
        Ok(CheckedDecision::Respond(_)) => "respond",
        Ok(CheckedDecision::Pass) => "pass",
        Err(Failure::Call(error)) => error.label(),
        Err(_) => "refused",
    }
}
