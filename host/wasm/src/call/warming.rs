//! Runs several decisions in one instance while a module is built, so that the resulting state can be kept. Every later
//! decision starts from that state, so everything that went into it is noted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::config::Limits;
use pointsman_rules::contract;
use pointsman_rules::reads::{Read, Reads, Source};
use pointsman_rules::settings::ModuleSettings;
use wasmtime::Store;
use wasmtime::component::{Instance, Resource};

use crate::abi::v0_1::{Router, RouterPre};
use crate::call::CallError;
use crate::call::decide::judged;
use crate::state::{Call, LogLine, State, thread_cpu_time};

/// An instance, from its first decision on.
pub(crate) struct Warming {
    settings: Arc<ModuleSettings>,
    alive: Option<Alive>,
}

struct Alive {
    store: Store<State>,
    instance: Instance,
    router: Router,
}

/// Everything that one decision shows of itself.
#[derive(Debug)]
pub(crate) struct WarmUpReport {
    pub answer: Result<contract::Decision, CallError>,
    reads: Reads,
    lines: Vec<LogLine>,
}

/// How far the reads of a decision went beyond the request and the module's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReadScope {
    Nothing,
    /// The clock, or `random`.
    Moment,
    /// State that outlives a decision, or more reads than are noted.
    Stores,
}

impl Warming {
    pub fn new(settings: Arc<ModuleSettings>) -> Warming {
        Warming { settings, alive: None }
    }

    /// Decides, the first time in a fresh instance. After an error other than a refusal to decide, the instance is
    /// gone.
    pub fn decide(&mut self, pre: &RouterPre<State>, call: Call<'_>) -> WarmUpReport {
        let now = Instant::now();
        let (mut store, made) = match self.alive.take() {
            Some(Alive { mut store, instance, router }) => {
                store.data_mut().renew(call, now);
                store.set_max_component_handles(call.limits.handles);
                (store, Some((instance, router)))
            }
            None => {
                let mut store = Store::new(pre.engine(), State::new(self.settings.clone(), call, now));
                State::set_up(&mut store, call.limits);
                (store, None)
            }
        };
        State::start_budget(&mut store, call.limits.decision);
        let made = made.map_or_else(|| instantiate(pre, &mut store), Ok);
        let answer = made.and_then(|(instance, router)| {
            let answer = router.call_select_peer(&mut store, Resource::new_borrow(0))?;
            Ok((answer.map(Into::into), instance, router))
        });
        let (answer, parts) = match answer {
            Ok((answer, instance, router)) => (Ok(answer), Some((instance, router))),
            Err(error) => (Err(error), None),
        };
        let state = store.data_mut();
        let report = WarmUpReport {
            answer: judged(answer, &state.limiter, call.limits),
            reads: std::mem::take(&mut state.reads),
            lines: std::mem::take(&mut state.lines).into_lines(),
        };
        self.alive = parts.map(|(instance, router)| Alive { store, instance, router });
        report
    }

    /// The store and the instance, unless the last decision ended them.
    pub fn into_parts(self) -> Option<(Store<State>, Instance)> {
        self.alive.map(|Alive { store, instance, .. }| (store, instance))
    }
}

fn instantiate(pre: &RouterPre<State>, store: &mut Store<State>) -> wasmtime::Result<(Instance, Router)> {
    let instance = pre.instance_pre().instantiate(&mut *store)?;
    let router = Router::new(store, &instance)?;
    Ok((instance, router))
}

impl WarmUpReport {
    /// Whether the module answered; declining is an answer as well.
    pub fn is_answer(&self) -> bool {
        matches!(self.answer, Ok(_) | Err(CallError::Declined(_)))
    }

    pub fn foreign(&self) -> ReadScope {
        let noted = self.reads.list().iter().map(foreign).max().unwrap_or(ReadScope::Nothing);
        if self.reads.is_complete() { noted } else { ReadScope::Stores }
    }

    /// Whether it read the clock or `random`, as far as that is known.
    pub fn sees_the_moment(&self) -> bool {
        !self.reads.is_complete() || self.reads.list().iter().any(|read| foreign(read) == ReadScope::Moment)
    }

    /// The difference of another decision about the same request, if there is one.
    pub fn difference(&self, other: &WarmUpReport) -> Option<&'static str> {
        let is_same = match (&self.answer, &other.answer) {
            // The message of a trap depends on the names of functions, which a snapshot does not keep.
            (Err(one), Err(two)) if !self.is_answer() => one.label() == two.label(),
            (one, two) => one == two,
        };
        if !is_same {
            return Some("another answer");
        }
        if self.lines != other.lines {
            return Some("other log lines");
        }
        // A module that remembers something of an earlier request does not read it again.
        (of_request(&self.reads) != of_request(&other.reads)).then_some("other reads of the request")
    }
}

/// Reads of the configuration are left out: it is the same for all decisions, so a module may well remember it.
fn of_request(reads: &Reads) -> Vec<&Read> {
    reads.list().iter().filter(|read| read.source() == Source::Request).collect()
}

fn foreign(read: &Read) -> ReadScope {
    match read.source() {
        Source::Request | Source::Config => ReadScope::Nothing,
        Source::Clock | Source::Random => ReadScope::Moment,
        Source::Shared | Source::Upstreams => ReadScope::Stores,
    }
}

/// A CPU budget that a series of decisions shares.
#[derive(Debug)]
pub(crate) struct SharedBudget {
    limits: Limits,
    end: Duration,
}

impl SharedBudget {
    pub fn new(limits: &Limits) -> SharedBudget {
        SharedBudget { limits: limits.clone(), end: thread_cpu_time().saturating_add(limits.configure) }
    }

    /// The limits of the next decision. None: the budget is spent.
    pub fn left(&mut self) -> Option<&Limits> {
        let left = self.end.checked_sub(thread_cpu_time()).filter(|left| !left.is_zero())?;
        self.limits.decision = left;
        Some(&self.limits)
    }
}
