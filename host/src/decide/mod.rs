//! Decisions for traffic: an evaluation within the tenant's quota and breaker, and the tenant's fallback when that
//! fails.

mod event;
mod fallback;

pub use event::{DecisionEvent, FallbackTaken};

use std::time::Instant;

use pointsman_rules::checked::CheckedDecision;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::quota::{Admission, Change, Outcome};

use crate::answer::Failure;
use crate::evaluate::{Action, Evaluation, ModuleCall, Question, Step};
use crate::tenant::Tenant;
use crate::versions::{Serving, TrialOutcome, Version};

/// The version that decides, and the tenant's serving state that it was taken from.
#[derive(Clone, Copy)]
pub struct Rollout<'a> {
    pub serving: &'a Serving,
    pub version: &'a Version,
}

/// One decision for traffic, from the cache, from the modules or from the fallback. A state machine like the
/// [`Evaluation`] in it: between two steps it holds no instance, no turn and no admission of the breaker.
pub struct Decider<'a> {
    question: Question<'a>,
    rollout: Rollout<'a>,
    evaluation: Evaluation<'a>,
}

impl<'a> Decider<'a> {
    /// Begins with the module at index `next_module`: those before it passed.
    pub fn new(question: Question<'a>, rollout: Rollout<'a>, next_module: usize) -> Decider<'a> {
        Decider { question, rollout, evaluation: Evaluation::new(question, next_module) }
    }

    /// The index of the module that is called next if the request needs another decision.
    pub fn next_module(&self) -> usize {
        self.evaluation.next_module()
    }

    /// Takes the decision from the cache. A hit costs the tenant nothing, so neither quota nor breaker applies.
    pub fn cached(&mut self, inputs: &'a Inputs) -> Option<DecisionEvent<'a>> {
        let (action, module) = self.evaluation.cached(inputs)?;
        self.judge(None);
        Some(DecisionEvent { cached: Some(module), ..self.event(inputs, Vec::new(), Ok(action)) })
    }

    /// Calls modules, if quota and breaker admit that. If they give no usable decision, uses the tenant's fallback: the
    /// previous version, other modules, a peer, or an answer.
    pub fn step(&mut self, inputs: &'a Inputs) -> Step<DecisionEvent<'a>> {
        let (tenant, now) = (self.question.tenant, Instant::now());
        if let Err(over) = tenant.admit_decision(now) {
            return self.fall_back(inputs, over.into());
        }
        let Some(admission) = tenant.usage.breaker.admit(now) else {
            return self.fall_back(inputs, Failure::BreakerOpen);
        };
        let Step::Done(action) = self.evaluation.step(inputs);
        let calls = self.evaluation.take_calls();
        calls.iter().for_each(|call| charge(tenant, call));
        self.judge(action.as_ref().err());
        note_breaker(tenant, admission, action.as_ref().err());
        match action {
            Ok(action) => Step::Done(self.event(inputs, calls, Ok(action))),
            Err(reason) => self.replace(inputs, calls, reason),
        }
    }

    /// Uses the fallback for a decision that could not be requested.
    pub fn fall_back(&mut self, inputs: &'a Inputs, reason: Failure) -> Step<DecisionEvent<'a>> {
        self.replace(inputs, Vec::new(), reason)
    }

    fn event(
        &self,
        inputs: &'a Inputs,
        calls: Vec<ModuleCall<'a>>,
        action: Result<Action, Failure>,
    ) -> DecisionEvent<'a> {
        let (tenant, version) = (self.question.tenant, self.rollout.version);
        DecisionEvent { tenant, version, inputs, calls, cached: None, action, fallback: None }
    }

    /// Notes a decision, and its failure, if its version is on trial.
    fn judge(&self, failure: Option<&Failure>) {
        let Rollout { serving, version } = self.rollout;
        if serving.is_on_trial(version)
            && let Some(outcome) = trial_outcome(failure)
        {
            let tenant = self.question.tenant;
            tenant.releases.note(serving, version, outcome, &text(failure), &tenant.config.release);
        }
    }
}

/// Judges a version on trial by one of its decisions. None: the modules are not the cause of the failure.
fn trial_outcome(failure: Option<&Failure>) -> Option<TrialOutcome> {
    match failure {
        None => Some(TrialOutcome::Agreed),
        Some(failure) if failure.is_defect() => Some(TrialOutcome::Failed),
        Some(failure) if failure.is_declined() => Some(TrialOutcome::Declined),
        Some(_) => None,
    }
}

fn text(failure: Option<&Failure>) -> String {
    failure.map(Failure::to_string).unwrap_or_default()
}

fn note_breaker(tenant: &Tenant, admission: Admission<'_>, failure: Option<&Failure>) {
    let outcome = if failure.is_some_and(Failure::is_defect) { Outcome::Failure } else { Outcome::Success };
    match admission.note(outcome, Instant::now()) {
        None => {}
        Some(Change::Opened) => {
            let cause = text(failure);
            tracing::warn!(tenant = %tenant.name, %cause, "too many failed decisions in a row: modules are not called");
        }
        Some(Change::Closed) => tracing::info!(tenant = %tenant.name, "modules are called again"),
    }
}

/// Charges one module call to its tenant's quota and counts it in the metrics.
fn charge(tenant: &Tenant, call: &ModuleCall<'_>) {
    let (report, answer) = (&call.report, &call.answer);
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
