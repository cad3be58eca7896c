//! The middle of the walk: call and check, module after module until one does not pass. Shared by the proxy and by
//! `pointsman decide`, so that what an author sees offline is what traffic gets.

use std::sync::Arc;

use pointsman_rules::check::{Policy, ResponseSpec};
use pointsman_rules::checked::{Answer, Route, Routes};
use pointsman_rules::contract;
use pointsman_rules::decision_cache::{Recall, Unfit};
use pointsman_rules::request::RequestHead;
use pointsman_rules::stores::Stores;
use pointsman_wasm::call::{self, Decided};
use pointsman_wasm::module::Module;
use pointsman_wasm::state::Call;

use crate::answer::Failure;
use crate::tenant::{Tenant, Terms};

/// What a tenant's modules want, checked.
#[derive(Debug, Clone)]
pub enum Wanted {
    Connect(Arc<Route>),
    Respond(Arc<ResponseSpec>),
}

impl Wanted {
    /// As the access log calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Wanted::Connect(_) => "connect",
            Wanted::Respond(_) => "respond",
        }
    }
}

/// What modules are asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub tenant: &'a Tenant,
    pub modules: &'a [Module],
    /// What they may use that outlives the decision: the tenant's, or another in a trial.
    pub stores: &'a Arc<Stores>,
    /// What their answers are judged by.
    pub terms: &'a Terms,
    pub head: &'a Arc<RequestHead>,
    pub attempts: &'a Arc<[contract::Attempt]>,
    /// Where their answers are remembered, if they are.
    pub recall: Option<&'a Recall>,
}

/// Asks modules about a request, from the one whose `turn` it is. On return `turn` is the one that answered. `seen` is
/// told of each module that was asked, and what its answer was found to be.
pub fn ask(
    question: Question<'_>,
    turn: &mut usize,
    mut seen: impl FnMut(&Module, &Decided, &Result<Answer, Failure>),
) -> Result<Wanted, Failure> {
    let policy = question.tenant.policy(&question.terms.granted.names);
    while let Some(module) = question.modules.get(*turn) {
        let call = Call {
            head: question.head,
            attempts: question.attempts,
            stores: Some(question.stores),
            limits: question.tenant.config.limits.of(module.class()),
        };
        let (answer, decided) = ask_one(module, call, &question.terms.routes, &policy);
        seen(module, &decided, &answer);
        let answer = answer?;
        if let Err(unfit) = remember(question, module, &decided, &answer) {
            question.tenant.metrics.unfit(unfit);
        }
        match answer {
            Answer::Connect(route) => return Ok(Wanted::Connect(route)),
            Answer::Respond(response) => return Ok(Wanted::Respond(response)),
            Answer::Pass => *turn += 1,
        }
    }
    Err(Failure::NoDecision)
}

/// Call and check of one module: what it said came to, and what the host noted of it. `routes` are those that were
/// checked by this `policy`.
pub fn ask_one(
    module: &Module,
    call: Call<'_>,
    routes: &Routes,
    policy: &Policy<'_>,
) -> (Result<Answer, Failure>, Decided) {
    let (said, decided) = call::decide_with(module.callee(), call, |record| routes.find(record));
    let answer = said.map_err(Failure::from).and_then(|said| routes.check(said, policy).map_err(Failure::from));
    (answer, decided)
}

/// Lets the next request that looks the same to the module have the same answer.
fn remember(question: Question<'_>, module: &Module, decided: &Decided, answer: &Answer) -> Result<(), Unfit> {
    match question.recall.filter(|recall| recall.is_on()) {
        None => Ok(()),
        Some(_) if module.keeps_instances() => Err(Unfit::Instance),
        Some(recall) => recall.remember(module.root(), question.head, decided.observed(), answer),
    }
}
