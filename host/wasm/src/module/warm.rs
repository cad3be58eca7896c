//! Warm snapshots: the work that a language runtime does in its first decision is done once, when the module is built.
//! `docs/design/warm-snapshots.md` says what that may change and how it is checked.

use std::sync::Arc;

use pointsman_rules::config::{Limits, Quota};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::stores::Stores;
use pointsman_rules::text::printable;
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use crate::abi::v0_1::RouterPre;
use crate::call::{CallError, ReadScope, SharedBudget, WarmUpReport, Warming};
use crate::module::Needs;
use crate::module::artefact::{Artefact, Facts, Warmth};
use crate::module::linking::{Builds, linker_for};
use crate::module::snapshot::Instrumented;
use crate::state::{Call, State};

/// Requests that a module decides before its state is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    pub requests: Vec<WrittenRequest>,
    pub moment: Moment,
}

/// Whether the values that the module read from the clock and from `random` meanwhile may stay in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    MayStay,
    MustNot,
}

impl WarmUp {
    /// Most requests that are useful: each is decided three times, and the first does nearly all of the one-time work.
    pub const MOST: usize = 32;
}

/// A request, and the report of its decision in a fresh instance.
struct ColdDecision {
    inputs: Inputs,
    report: WarmUpReport,
}

impl ColdDecision {
    /// Checks that another decision about the same request has the same result.
    fn agrees(&self, again: &WarmUpReport, where_: &str) -> Result<(), String> {
        match self.report.difference(again) {
            None => Ok(()),
            Some(difference) => {
                let (method, path) = (self.inputs.head.method(), self.inputs.head.path());
                Err(format!("`{} {}` has {difference} {where_}", printable(method, SHOWN).0, printable(path, SHOWN).0))
            }
        }
    }
}

/// Most bytes of a request's method, and of its path, in a reason.
const SHOWN: usize = 256;

/// Builds a warm artefact: its instances start with the state that the requests of `warm_up` leave. `facts` are those
/// of the cold component. The error says why the module is better served without.
pub fn warm(builds: Builds<'_>, warm_up: &WarmUp, component: &[u8], facts: &Facts) -> Result<Artefact, String> {
    let instrumented = Instrumented::new(component)?;
    let compiled = Component::new(builds.engine, &instrumented.component).map_err(|error| format!("{error:#}"))?;
    let cold = LinkedComponent::new(builds, &compiled, facts)?;

    let mut budget = SharedBudget::new(builds.limits);
    let mut all = Vec::new();
    for request in &warm_up.requests {
        // Running the tests reports a request that can't be made.
        let Ok(inputs) = Inputs::try_from(request) else { continue };
        let report = cold.decide(&mut cold.instance(), &inputs, budget.left().ok_or_else(|| cold.spent())?);
        all.push(ColdDecision { inputs, report });
    }
    let most = match warm_up.moment {
        Moment::MayStay => ReadScope::Moment,
        Moment::MustNot => ReadScope::Nothing,
    };
    let chosen = || all.iter().filter(|decided| decided.report.is_answer() && decided.report.foreign() <= most);
    let Some(first) = chosen().next() else { return Err(none_of(&all)) };

    let mut budget = SharedBudget::new(builds.limits);
    let mut instance = cold.instance();
    for decided in chosen() {
        let again = cold.decide(&mut instance, &decided.inputs, budget.left().ok_or_else(|| cold.spent())?);
        decided.agrees(&again, AFTER_OTHERS)?;
        if again.foreign() > most {
            return Err("it reads more in an instance that has decided before".to_owned());
        }
    }
    // Handles live in the host, not in the memory that is kept. With a limit of one, the request's own, a decision
    // fails if the module holds any other.
    let limits = Limits { handles: 1, ..budget.left().ok_or_else(|| cold.spent())?.clone() };
    let alone = cold.decide(&mut instance, &first.inputs, &limits);
    if let Err(CallError::Handles { .. }) = alone.answer {
        return Err("it keeps resource handles from one decision to the next, or needs several in one".to_owned());
    }
    first.agrees(&alone, AFTER_OTHERS)?;
    let (store, instance) = instance.into_parts().ok_or("its instance is gone")?;
    let snapshot = instrumented.snapshot(store, instance)?;

    let needs = Needs::of(&snapshot);
    let facts = Facts { needs, warmth: Warmth::Warm { requests: chosen().count() }, ..facts.clone() };
    let artefact = Artefact::compile(builds.engine, &snapshot, facts).map_err(|error| error.to_string())?;
    let component = artefact.component(builds.engine).map_err(|error| error.to_string())?;
    let warm = LinkedComponent::new(builds, &component, &artefact.facts)?;
    for decided in &all {
        let again = warm.decide(&mut warm.instance(), &decided.inputs, builds.limits);
        // A decision that depends on the moment may differ between any two instances, snapshot or not.
        let is_comparable = decided.report.foreign() <= most || !decided.report.sees_the_moment();
        match is_comparable {
            true => decided.agrees(&again, FROM_SNAPSHOT)?,
            false if decided.report.is_answer() && !again.is_answer() => {
                return Err(format!("a decision fails {FROM_SNAPSHOT}"));
            }
            false => {}
        }
    }
    Ok(artefact)
}

const AFTER_OTHERS: &str = "in an instance that has decided before";
const FROM_SNAPSHOT: &str = "from the warm snapshot";

/// Why no request can be used.
fn none_of(all: &[ColdDecision]) -> String {
    let reason = match all.iter().any(|decided| decided.report.is_answer()) {
        _ if all.is_empty() => "there is no request to decide",
        true => "each of its decisions read the clock, `random`, `shared` or `upstreams`",
        false => "none of its decisions gave an answer",
    };
    reason.to_owned()
}

/// A component that can decide.
struct LinkedComponent<'a> {
    pre: RouterPre<State>,
    builds: Builds<'a>,
}

impl<'a> LinkedComponent<'a> {
    fn new(builds: Builds<'a>, component: &Component, facts: &Facts) -> Result<LinkedComponent<'a>, String> {
        facts.needs.check(builds.limits).map_err(|error| error.to_string())?;
        let linker = linker_for(builds.linker, component, &facts.rewinding);
        let pre = linker.and_then(|linker| linker.instantiate_pre(component)).and_then(RouterPre::new);
        Ok(LinkedComponent { pre: pre.map_err(|error| format!("{error:#}"))?, builds })
    }

    fn instance(&self) -> Warming {
        Warming::new(self.builds.settings.clone())
    }

    /// Each decision gets empty stores of its own.
    fn decide(&self, instance: &mut Warming, inputs: &Inputs, limits: &Limits) -> WarmUpReport {
        let stores = Arc::new(Stores::empty(&Quota::default()));
        instance.decide(&self.pre, Call { inputs, stores: Some(&stores), limits })
    }

    fn spent(&self) -> String {
        let configure = self.builds.limits.configure.as_millis();
        format!("its decisions took more than {configure} ms of CPU time ({})", LimitKey::ConfigureMs)
    }
}
