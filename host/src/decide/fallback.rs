//! The tenant's fallback: what serves a request for which its modules gave no usable decision.

use std::time::Instant;

use pointsman_rules::check::{Refusal, check};
use pointsman_rules::checked::CheckedDecision;
use pointsman_rules::contract;
use pointsman_rules::inputs::Inputs;

use crate::answer::Failure;
use crate::decide::{Decider, DecisionEvent, FallbackTaken, charge};
use crate::evaluate::{Action, Evaluation, ModuleCall, Question, Step};
use crate::metrics::FallbackLevel;
use crate::versions::Version;

impl<'a> Decider<'a> {
    /// Replaces a decision that failed for `reason`, after these calls.
    pub(super) fn replace(
        &mut self,
        inputs: &'a Inputs,
        mut calls: Vec<ModuleCall<'a>>,
        reason: Failure,
    ) -> Step<DecisionEvent<'a>> {
        let Step::Done((level, action)) = self.level(inputs, &mut calls, &reason);
        self.question.tenant.metrics.fallback(level);
        let action = action.ok_or_else(|| reason.clone());
        let fallback = Some(FallbackTaken { level, reason });
        Step::Done(DecisionEvent { fallback, ..self.event(inputs, calls, action) })
    }

    /// Returns the level that serves instead, and its action. No action: the client gets the tenant's failure answer.
    fn level(
        &self,
        inputs: &Inputs,
        calls: &mut Vec<ModuleCall<'a>>,
        reason: &Failure,
    ) -> Step<(FallbackLevel, Option<Action>)> {
        let tenant = self.question.tenant;
        // A tenant that is over a quota gets no CPU time for its fallback modules either.
        let others = if matches!(reason, Failure::OverQuota(_)) {
            [None, None]
        } else {
            [
                self.previous_version(reason).map(|version| (FallbackLevel::Version, version.modules.as_slice())),
                Some((FallbackLevel::Module, tenant.fallback_modules.as_slice())),
            ]
        };
        for (level, modules) in others.into_iter().flatten().filter(|(_, modules)| !modules.is_empty()) {
            let mut evaluation = Evaluation::new(Question { modules, cache: None, ..self.question }, 0);
            let Step::Done(action) = evaluation.step(inputs);
            let more = evaluation.take_calls();
            more.iter().for_each(|call| charge(tenant, call));
            calls.extend(more);
            if let Ok(action) = action {
                return Step::Done((level, Some(action)));
            }
        }
        Step::Done(match fallback_peer(self.question) {
            Some(Ok(action)) => (FallbackLevel::Peer, Some(action)),
            Some(Err(refusal)) => {
                // It passed the check at startup, so a credential must have changed since.
                tracing::error!(tenant = %tenant.name, %refusal, "the fallback's peer is refused");
                (FallbackLevel::Answer, None)
            }
            None => (FallbackLevel::Answer, None),
        })
    }

    /// The version that decides in place of one with a defect.
    fn previous_version(&self, reason: &Failure) -> Option<&'a Version> {
        let before = self.rollout.serving.in_place_of(self.rollout.version, Instant::now());
        before.filter(|_| reason.is_defect()).map(|version| &**version)
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
