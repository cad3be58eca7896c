//! The middle of the walk: calls a tenant's modules in order and checks their answers, until one does not pass. Shared
//! by the proxy and by `pointsman decide`, so that an author sees offline the decisions that traffic gets.

use std::sync::Arc;

use pointsman_rules::check::{Policy, ResponseSpec};
use pointsman_rules::checked::{CheckedDecision, Route, RouteCache};
use pointsman_rules::contract;
use pointsman_rules::decision_cache::{DecisionCache, Uncacheable};
use pointsman_rules::request::RequestHead;
use pointsman_rules::stores::Stores;
use pointsman_wasm::call::{self, CallReport};
use pointsman_wasm::module::Module;
use pointsman_wasm::state::Call;

use crate::answer::Failure;
use crate::tenant::{PolicySnapshot, Tenant};

/// The checked decision of a tenant's modules.
#[derive(Debug, Clone)]
pub enum Action {
    Connect(Arc<Route>),
    Respond(Arc<ResponseSpec>),
}

impl Action {
    /// The action's name in the access log.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Connect(_) => "connect",
            Action::Respond(_) => "respond",
        }
    }
}

/// The input of an evaluation: the modules to call, the request, and the policy that their answers are checked against.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub tenant: &'a Tenant,
    pub modules: &'a [Module],
    /// State that outlives the decision: the tenant's own, or a separate one in a trial.
    pub stores: &'a Arc<Stores>,
    /// The policy that their answers are checked against.
    pub terms: &'a PolicySnapshot,
    pub head: &'a Arc<RequestHead>,
    pub attempts: &'a Arc<[contract::Attempt]>,
    /// The cache for their decisions. None: decisions are neither looked up nor inserted.
    pub cache: Option<&'a DecisionCache>,
}

/// Calls the modules for a request, beginning with the one at index `next_module`. On return, `next_module` is the
/// index of the module that decided. `on_called` receives each module that was called, the report of the call, and its
/// checked answer.
pub fn evaluate(
    question: Question<'_>,
    next_module: &mut usize,
    mut on_called: impl FnMut(&Module, &CallReport, &Result<CheckedDecision, Failure>),
) -> Result<Action, Failure> {
    let policy = question.tenant.policy(&question.terms.granted.names);
    while let Some(module) = question.modules.get(*next_module) {
        let call = Call {
            head: question.head,
            attempts: question.attempts,
            stores: Some(question.stores),
            limits: question.tenant.config.limits.of(module.class()),
        };
        let (answer, report) = evaluate_module(module, call, &question.terms.routes, &policy);
        on_called(module, &report, &answer);
        let answer = answer?;
        if let Err(reason) = insert(question, module, &report, &answer) {
            question.tenant.metrics.uncacheable(reason);
        }
        match answer {
            CheckedDecision::Connect(route) => return Ok(Action::Connect(route)),
            CheckedDecision::Respond(response) => return Ok(Action::Respond(response)),
            CheckedDecision::Pass => *next_module += 1,
        }
    }
    Err(Failure::NoDecision)
}

/// Calls one module and checks its answer. Returns the checked decision and the host's report of the call. `routes`
/// caches routes that were checked against the same `policy`.
pub fn evaluate_module(
    module: &Module,
    call: Call<'_>,
    routes: &RouteCache,
    policy: &Policy<'_>,
) -> (Result<CheckedDecision, Failure>, CallReport) {
    let (said, report) = call::decide_with(module.callee(), call, |record| routes.find(record));
    let answer = said.map_err(Failure::from).and_then(|said| routes.check(said, policy).map_err(Failure::from));
    (answer, report)
}

/// Caches the decision for requests in which the module would read the same values.
fn insert(
    question: Question<'_>,
    module: &Module,
    report: &CallReport,
    answer: &CheckedDecision,
) -> Result<(), Uncacheable> {
    match question.cache.filter(|cache| cache.is_on()) {
        None => Ok(()),
        Some(_) if module.keeps_instances() => Err(Uncacheable::Instance),
        Some(cache) => cache.insert(module.root(), question.head, report.observed(), answer),
    }
}
