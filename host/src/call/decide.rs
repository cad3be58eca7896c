//! One decision, from store to answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use crate::call::configure::configure;
use crate::call::entry::{Answer, Entry, Said};
use crate::call::fence::Fence;
use crate::call::instances::Live;
use crate::call::limiter::Limiter;
use crate::call::log::LogLine;
use crate::call::reads::Reads;
use crate::call::{CallError, State, budget};
use crate::config::Limits;
use crate::door::RequestHead;
use crate::module::{Module, ModuleSettings};
use crate::raw;
use crate::stores::Stores;
use crate::text::printable;

/// Bytes that are kept of a module's reason not to decide; it goes to the log.
const LONGEST_REASON: usize = 1024;

/// What the host noted of a decision, whatever came of it.
#[derive(Debug)]
pub struct Decided {
    /// What the module said: `connect`, `respond`, `pass`; None: nothing.
    pub said: Option<&'static str>,
    pub reads: Reads,
    pub lines: Vec<LogLine>,
    /// Whether it wanted to log more than it may.
    pub log_cut: bool,
    /// Wall time, from the empty store to the answer.
    pub elapsed: Duration,
    pub end: Instant,
    /// Linear memory that the instance had at its end, in bytes.
    pub memory_bytes: usize,
    pub instance: Made,
}

/// Where the instance of a decision came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    New,
    /// It had decided, and was put back to the state in which it began.
    Rewound,
    /// It had decided, and remembers (`instance_calls`).
    Reused,
}

/// What a module is asked about, and what it may use for that.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub head: &'a Arc<RequestHead>,
    pub attempts: &'a Arc<[raw::Attempt]>,
    /// None in `configure`.
    pub stores: Option<&'a Arc<Stores>>,
    pub limits: &'a Limits,
}

/// Asks `module`, in a fresh instance or in one that may be used again.
pub fn decide(module: &Module, call: Call<'_>) -> (Result<raw::Decision, CallError>, Decided) {
    let (said, decided) = decide_with::<Infallible>(module, call, |_| None);
    let decision = said.map(|said| match said {
        Said::Known(never) => match never {},
        Said::Decision { decision, .. } => *decision,
    });
    (decision, decided)
}

/// The same, but an answer that is `known` by its bytes is not made again.
pub(crate) fn decide_with<K>(
    module: &Module,
    call: Call<'_>,
    known: impl FnOnce(&[u8]) -> Option<K>,
) -> (Result<Said<K>, CallError>, Decided) {
    let (limits, start) = (call.limits, Instant::now());
    let _running = module.pulse().enter();
    let (mut live, instance, answer) = ask(module, call, start, known);
    let answer = judged(answer, &live.state().limiter, limits);
    let said = answer.as_ref().ok().map(Said::name);
    let state = live.state();
    state.finish_output();
    let reads = std::mem::take(&mut state.reads);
    let lines = std::mem::take(&mut state.lines);
    let memory_bytes = state.limiter.memory_granted();
    // Whatever failed, and however: what an instance remembers of it is not to be met again.
    if let Instance::Alive(live) = live
        && (answer.is_ok() || module.rewinder().is_some())
    {
        module.instances().keep(live, most_kept(module, limits));
    }
    let end = Instant::now();
    let decided = Decided {
        said,
        reads,
        log_cut: lines.is_cut(),
        lines: lines.into_lines(),
        elapsed: end.saturating_duration_since(start),
        end,
        memory_bytes,
        instance,
    };
    (answer, decided)
}

/// What the module said, or why it said nothing.
pub(super) fn judged<T>(answer: Answer<T>, limiter: &Limiter, limits: &Limits) -> Result<T, CallError> {
    match answer {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(reason)) => Err(CallError::Declined(printable(&reason, LONGEST_REASON).0)),
        Err(error) => Err(CallError::from_trap(&error, limiter, limits)),
    }
}

/// Linear memory up to which an instance decides again, in bytes: half of what it may grow by. One that leaks is replaced
/// by a new one long before it would fail.
fn most_kept(module: &Module, limits: &Limits) -> usize {
    let start = usize::try_from(module.needs().memory_bytes).unwrap_or(usize::MAX);
    start.saturating_add(limits.memory_bytes.saturating_sub(start) / 2)
}

/// What is left of a call: an instance that answered, or the store of one that did not.
enum Instance {
    Alive(Live),
    Dead(Store<State>),
}

impl Instance {
    fn state(&mut self) -> &mut State {
        match self {
            Instance::Alive(live) => live.store.data_mut(),
            Instance::Dead(store) => store.data_mut(),
        }
    }
}

/// A store with all of its limits but the budget.
pub(super) fn new_store(
    engine: &wasmtime::Engine,
    settings: Arc<ModuleSettings>,
    call: Call<'_>,
    now: Instant,
) -> Store<State> {
    let mut store = Store::new(engine, State::new(settings, call, now));
    store.limiter(|state| &mut state.limiter);
    store.set_max_component_handles(call.limits.handles);
    store.set_hostcall_fuel(call.limits.host_call_bytes);
    store
}

/// An instance that is configured, if it is to be: by its snapshot, or here. And whether it can be rewound.
fn instantiate(module: &Module, store: &mut Store<State>, limits: &Limits) -> wasmtime::Result<(Entry, bool)> {
    let instance = module.router().instance_pre().instantiate(&mut *store)?;
    let rewinder = module.rewinder().filter(|rewinder| rewinder.is_of_use());
    if let Some(rewinder) = rewinder {
        rewinder.meet(store);
    }
    if let Some(index) = module.configured_by_call() {
        configure(store, &instance, index, limits).map_err(NotConfigured)?;
    }
    Ok((Entry::of(instance, store, module.select_peer(), module.added())?, rewinder.is_some()))
}

/// `configure` failed in this instance, though it passed when the module was loaded.
#[derive(Debug, thiserror::Error)]
#[error("`configure` failed: {0}")]
pub(super) struct NotConfigured(pub CallError);

fn ask<K>(
    module: &Module,
    call: Call<'_>,
    now: Instant,
    known: impl FnOnce(&[u8]) -> Option<K>,
) -> (Instance, Made, Answer<Said<K>>) {
    let (mut live, made) = match used(module, call, now).map_or_else(|| new(module, call, now), Ok) {
        Ok(found) => found,
        Err((store, error)) => return (Instance::Dead(store), Made::New, Err(error)),
    };
    match live.entry.ask(&mut live.store, live.rewindable, known) {
        Ok(answer) => {
            live.calls = live.calls.saturating_add(1);
            (Instance::Alive(live), made, Ok(answer))
        }
        Err(error) => (Instance::Dead(live.store), made, Err(error)),
    }
}

/// An instance that has decided before: rewound, or as it is.
fn used(module: &Module, call: Call<'_>, now: Instant) -> Option<(Live, Made)> {
    let mut live = module.instances().take()?;
    live.store.data_mut().renew(call, now);
    budget::start(&mut live.store, call.limits.decision);
    match module.rewinder() {
        Some(rewinder) => rewinder.rewind(&mut live).then_some((live, Made::Rewound)),
        None => Some((live, Made::Reused)),
    }
}

fn new(module: &Module, call: Call<'_>, now: Instant) -> Result<(Live, Made), (Store<State>, wasmtime::Error)> {
    let mut store = new_store(module.engine(), module.settings().clone(), call, now);
    // All limits stand before the first guest instruction: instantiation runs start functions.
    budget::start(&mut store, call.limits.decision);
    match instantiate(module, &mut store, call.limits) {
        Ok((entry, rewindable)) => {
            let memory_bytes = store.data().limiter.memory_granted();
            let fence = Fence::default();
            Ok((Live { fence, store, entry, calls: 0, rewindable, memory_bytes, place: None }, Made::New))
        }
        Err(error) => Err((store, error)),
    }
}
