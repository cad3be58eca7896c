//! One decision, from store to answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::Resource;

use crate::call::log::LogLine;
use crate::call::reads::Reads;
use crate::call::{CallError, State, budget};
use crate::config::Limits;
use crate::door::RequestHead;
use crate::module::Module;
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
}

/// Asks `module` about a request, in a fresh instance within `limits`.
pub fn decide(
    module: &Module,
    head: &Arc<RequestHead>,
    attempts: &Arc<[raw::Attempt]>,
    stores: &Arc<Stores>,
    limits: &Limits,
) -> (Result<raw::Decision, CallError>, Decided) {
    let start = Instant::now();
    let state = State::new(head.clone(), attempts.clone(), module.settings().clone(), stores.clone(), start, limits);
    let mut store = Store::new(module.engine(), state);
    // All limits stand before the first guest instruction: instantiation runs start functions.
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.host_call_bytes);
    store.set_max_component_handles(limits.handles);
    budget::start(&mut store, limits.decision);

    let answer = ask(module, &mut store);
    let state = store.into_data();
    let answer = match answer {
        Ok(Ok(decision)) => Ok(decision),
        Ok(Err(reason)) => Err(CallError::Declined(printable(&reason, LONGEST_REASON).0)),
        Err(error) => Err(CallError::from_trap(&error, &state.limiter, limits)),
    };
    let said = answer.as_ref().ok().map(|decision| match decision {
        raw::Decision::Connect(_) => "connect",
        raw::Decision::Respond(_) => "respond",
        raw::Decision::Pass => "pass",
    });
    let end = Instant::now();
    let decided = Decided {
        said,
        reads: state.reads,
        log_cut: state.lines.is_cut(),
        lines: state.lines.into_lines(),
        elapsed: end.saturating_duration_since(start),
        end,
        memory_bytes: state.limiter.memory_granted(),
    };
    (answer, decided)
}

fn ask(module: &Module, store: &mut Store<State>) -> wasmtime::Result<Result<raw::Decision, String>> {
    let router = module.router().instantiate(&mut *store)?;
    // The one request of this store: see `Subject`.
    router.call_select_peer(&mut *store, Resource::new_borrow(0))
}
