//! Calls a tenant's modules in order and checks their answers, until one does not pass. Shared by the proxy,
//! `pointsman decide`, a tenant's tests and shadowing, so that an author sees offline the decisions that traffic gets.

use std::sync::Arc;

use pointsman_rules::check::{Policy, ResponseSpec};
use pointsman_rules::checked::{CheckedDecision, Route, RouteCache};
use pointsman_rules::decision_cache::{DecisionCache, Lookup, Uncacheable};
use pointsman_rules::inputs::Inputs;
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

/// The modules that decide, what they may use, and the policy that their answers are checked against.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub tenant: &'a Tenant,
    pub modules: &'a [Module],
    /// State that outlives the decision: the tenant's own, or a separate one in a trial.
    pub stores: &'a Arc<Stores>,
    /// The policy that their answers are checked against.
    pub terms: &'a PolicySnapshot,
    /// The cache for their decisions. None: decisions are neither looked up nor inserted.
    pub cache: Option<&'a DecisionCache>,
}

/// One decision of a tenant's modules, as a synchronous state machine. A step never waits: if an input is missing, it
/// returns what it needs; the caller fetches that and takes another step.
pub struct Evaluation<'a> {
    question: Question<'a>,
    next_module: usize,
    calls: Vec<ModuleCall<'a>>,
}

/// The result of a step.
#[derive(Debug)]
pub enum Step<T> {
    Done(T),
    Needs(Need),
}

/// An input that must be fetched before the next step. There is none yet: all inputs are known before the first step,
/// so every decision ends in one.
#[derive(Debug)]
pub enum Need {}

/// A module that was called, and its checked answer.
#[derive(Debug)]
pub struct ModuleCall<'a> {
    pub module: &'a Module,
    pub report: CallReport,
    pub answer: Result<CheckedDecision, Failure>,
}

/// Evaluates with the inputs at hand, for drivers that fetch nothing. Returns the action, and the calls that led to it.
pub fn evaluate<'a>(question: Question<'a>, inputs: &Inputs) -> (Result<Action, Failure>, Vec<ModuleCall<'a>>) {
    let mut evaluation = Evaluation::new(question, 0);
    let Step::Done(action) = evaluation.step(inputs);
    (action, evaluation.take_calls())
}

impl<'a> Evaluation<'a> {
    /// Begins with the module at this index: those before it passed.
    pub fn new(question: Question<'a>, next_module: usize) -> Evaluation<'a> {
        Evaluation { question, next_module, calls: Vec::new() }
    }

    /// The index of the module that decided, or that is called next.
    pub fn next_module(&self) -> usize {
        self.next_module
    }

    /// Takes the calls made so far, in order.
    pub fn take_calls(&mut self) -> Vec<ModuleCall<'a>> {
        std::mem::take(&mut self.calls)
    }

    /// Returns the cached decision for a request in which the modules would read the same values, without calling them,
    /// and the module that made it. Advances past modules whose cached decision is to pass.
    pub fn cached(&mut self, inputs: &Inputs) -> Option<(Action, &'a Module)> {
        let (metrics, cache) = (&self.question.tenant.metrics, self.question.cache.filter(|cache| cache.is_on())?);
        while let Some(module) = self.question.modules.get(self.next_module) {
            if module.keeps_instances() {
                return None;
            }
            let action = match cache.lookup(module.root(), inputs) {
                Lookup::Hit(CheckedDecision::Connect(route)) => Action::Connect(route),
                Lookup::Hit(CheckedDecision::Respond(response)) => Action::Respond(response),
                Lookup::Hit(CheckedDecision::Pass) => {
                    self.next_module += 1;
                    continue;
                }
                Lookup::Miss => {
                    metrics.cache_miss();
                    cache.note_miss(metrics.cache_hits());
                    return None;
                }
                Lookup::Skipped => {
                    metrics.cache_skipped();
                    return None;
                }
            };
            metrics.cache_hit();
            return Some((action, module));
        }
        None
    }

    /// Calls modules until one does not pass.
    pub fn step(&mut self, inputs: &Inputs) -> Step<Result<Action, Failure>> {
        let Question { tenant, modules, stores, terms, .. } = self.question;
        let policy = tenant.policy(&terms.granted.names);
        while let Some(module) = modules.get(self.next_module) {
            let limits = tenant.config.limits.of(module.class());
            let call = Call { inputs, stores: Some(stores), limits };
            let (answer, report) = evaluate_module(module, call, &terms.routes, &policy);
            if let Ok(answer) = &answer
                && let Err(reason) = self.insert(module, inputs, &report, answer)
            {
                tenant.metrics.uncacheable(reason);
            }
            let action = match &answer {
                Ok(CheckedDecision::Connect(route)) => Some(Ok(Action::Connect(route.clone()))),
                Ok(CheckedDecision::Respond(response)) => Some(Ok(Action::Respond(response.clone()))),
                Ok(CheckedDecision::Pass) => None,
                Err(failure) => Some(Err(failure.clone())),
            };
            self.calls.push(ModuleCall { module, report, answer });
            match action {
                Some(action) => return Step::Done(action),
                None => self.next_module += 1,
            }
        }
        Step::Done(Err(Failure::NoDecision))
    }

    /// Caches the decision for requests in which the module would read the same values.
    fn insert(
        &self,
        module: &Module,
        inputs: &Inputs,
        report: &CallReport,
        answer: &CheckedDecision,
    ) -> Result<(), Uncacheable> {
        match self.question.cache.filter(|cache| cache.is_on()) {
            None => Ok(()),
            Some(_) if module.keeps_instances() => Err(Uncacheable::Instance),
            Some(cache) => cache.insert(module.root(), inputs, report.observed(), answer),
        }
    }
}

/// Calls one module and checks its answer. Returns the checked decision and the host's report of the call. `routes`
/// caches routes that were checked against the same `policy`.
pub fn evaluate_module(
    module: &Module,
    call: Call<'_>,
    routes: &RouteCache,
    policy: &Policy<'_>,
) -> (Result<CheckedDecision, Failure>, CallReport) {
    let (raw, report) = call::decide_with(module.callee(), call, |record| routes.find(record));
    let answer = raw.map_err(Failure::from).and_then(|raw| routes.check(raw, policy).map_err(Failure::from));
    (answer, report)
}
