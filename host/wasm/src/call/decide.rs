//! Runs one decision, from store to answer.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use pointsman_rewind::RewindableStore;
use pointsman_rules::config::Limits;
use pointsman_rules::contract::{self, RawAnswer};
use pointsman_rules::decision_cache::CacheFacts;
use pointsman_rules::reads::Reads;
use pointsman_rules::text::printable;

use crate::abi::v0_1::{Answer, Entry};
use crate::call::configure::configure;
use crate::call::{CallError, Callee, Frames, PooledInstance};
use crate::state::{Call, Limiter, LogLine, RefusedGrowth, State};

/// Most bytes that are kept of a module's reason for declining to decide; it goes to the log.
const LONGEST_REASON: usize = 1024;

/// The host's notes on a decision, whether it succeeded or failed.
#[derive(Debug)]
pub struct CallReport {
    /// The kind of answer: `connect`, `respond`, `pass`. None: the module gave no answer.
    pub answer_kind: Option<&'static str>,
    pub reads: Reads,
    pub lines: Vec<LogLine>,
    /// Whether the module tried to log more than it may.
    pub log_cut: bool,
    /// Wall time, from the empty store to the answer.
    pub elapsed: Duration,
    pub end: Instant,
    /// Linear memory of the instance at the end of the decision, in bytes.
    pub memory_bytes: usize,
    /// Calls of the host's functions.
    pub host_calls: usize,
    pub instance: InstanceOrigin,
}

impl CallReport {
    /// The observations that decide whether the answer may be cached.
    pub fn observed(&self) -> CacheFacts<'_> {
        CacheFacts { reads: &self.reads, has_logged: !self.lines.is_empty() || self.log_cut }
    }
}

/// Where the instance of a decision came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceOrigin {
    New,
    /// It had decided before, and was put back to the state in which it began.
    Rewound,
    /// It had decided before, and kept its state (`instance_calls`).
    Reused,
}

/// Calls a module's `select-peer`, in a new instance or in one that may be reused.
pub fn decide(callee: &Callee, call: Call<'_>) -> (Result<contract::Decision, CallError>, CallReport) {
    let (answer, decided) = decide_with::<Infallible>(callee, call, |_| None);
    let decision = answer.map(|answer| match answer {
        RawAnswer::Known(never) => match never {},
        RawAnswer::Decision { decision, .. } => *decision,
    });
    (decision, decided)
}

/// The same, but an answer whose bytes are `known` is not lifted again.
pub fn decide_with<K>(
    callee: &Callee,
    call: Call<'_>,
    known: impl FnOnce(&[u8]) -> Option<K>,
) -> (Result<RawAnswer<K>, CallError>, CallReport) {
    let (limits, start) = (call.limits, Instant::now());
    let _running = callee.program.ticker.pulse().enter();
    let (mut live, instance, answer) = ask(callee, call, start, known);
    let answer = judged(answer, &live.state().limiter, limits);
    let answer_kind = answer.as_ref().ok().map(RawAnswer::name);
    let state = live.state();
    state.finish_output();
    let reads = std::mem::take(&mut state.reads);
    let lines = std::mem::take(&mut state.lines);
    let memory_bytes = state.limiter.memory_granted();
    let host_calls = limits.host_calls.saturating_sub(state.calls_left());
    // After any failure, even a refusal to decide, an instance is dropped unless it is rewound: no later decision may
    // meet the state that the failure left.
    if let Instance::Alive(live) = live
        && (answer.is_ok() || callee.rewinder().is_some())
    {
        callee.instances.keep(live, most_kept(callee, limits));
    }
    let end = Instant::now();
    let decided = CallReport {
        answer_kind,
        reads,
        log_cut: lines.is_cut(),
        lines: lines.into_lines(),
        elapsed: end.saturating_duration_since(start),
        end,
        memory_bytes,
        host_calls,
        instance,
    };
    (answer, decided)
}

/// The module's answer, or the error that says why there is none.
pub(super) fn judged<T>(answer: Answer<T>, limiter: &Limiter, limits: &Limits) -> Result<T, CallError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(reason)) => {
            let mut reason = printable(&reason, LONGEST_REASON).0;
            // A language that reports a failed allocation to its author does not know the limit.
            if limiter.refused() == Some(RefusedGrowth::Memory) {
                let refused = CallError::Memory { limit: limits.memory_bytes, frames: Frames::default() };
                reason = format!("{reason}; {refused}");
            }
            Err(CallError::Declined(reason))
        }
        Err(error) => Err(CallError::from_trap(&error, limiter, limits)),
    }
}

/// Linear memory up to which an instance is kept to decide again, in bytes: its memory at the start, and half of what
/// it may grow by. An instance that leaks is replaced by a new one long before it would fail.
fn most_kept(callee: &Callee, limits: &Limits) -> usize {
    let start = usize::try_from(callee.program.memory_bytes).unwrap_or(usize::MAX);
    start.saturating_add(limits.memory_bytes.saturating_sub(start) / 2)
}

/// The instance after a call: alive if it answered, otherwise only its store.
enum Instance {
    Alive(PooledInstance),
    Dead(RewindableStore<State>),
}

impl Instance {
    fn state(&mut self) -> &mut State {
        match self {
            Instance::Alive(live) => live.store.data_mut(),
            Instance::Dead(store) => store.data_mut(),
        }
    }
}

/// Creates an instance, and calls `configure` if that is not in its snapshot. Also returns whether it can be rewound.
fn instantiate(
    callee: &Callee,
    store: &mut RewindableStore<State>,
    limits: &Limits,
) -> wasmtime::Result<(Entry, bool)> {
    let program = &callee.program;
    let instance = program.router.instance_pre().instantiate(&mut *store)?;
    let rewinder = callee.rewinder().filter(|rewinder| rewinder.is_of_use());
    if let Some(rewinder) = rewinder {
        rewinder.meet(store);
    }
    if let Some(index) = &program.configure {
        configure(store, &instance, index, limits).map_err(NotConfigured)?;
    }
    Ok((Entry::of(instance, store, &program.select_peer, program.added.as_ref())?, rewinder.is_some()))
}

/// `configure` failed in this instance, though it passed when the module was loaded.
#[derive(Debug, thiserror::Error)]
#[error("`configure` failed: {0}")]
pub(super) struct NotConfigured(pub CallError);

fn ask<K>(
    callee: &Callee,
    call: Call<'_>,
    now: Instant,
    known: impl FnOnce(&[u8]) -> Option<K>,
) -> (Instance, InstanceOrigin, Answer<RawAnswer<K>>) {
    let (mut live, made) = match used(callee, call, now).map_or_else(|| new(callee, call, now), Ok) {
        Ok(found) => found,
        Err((store, error)) => return (Instance::Dead(store), InstanceOrigin::New, Err(error)),
    };
    match live.entry.ask(&mut live.store, live.rewindable, known) {
        Ok(answer) => {
            live.calls = live.calls.saturating_add(1);
            (Instance::Alive(live), made, Ok(answer))
        }
        Err(error) => (Instance::Dead(live.store), made, Err(error)),
    }
}

/// Takes an instance that has decided before: rewound, or as it is.
fn used(callee: &Callee, call: Call<'_>, now: Instant) -> Option<(PooledInstance, InstanceOrigin)> {
    let mut live = callee.instances.take()?;
    live.store.data_mut().renew(call, now);
    State::start_budget_of(&mut live.store, call.limits.decision);
    match callee.rewinder() {
        Some(rewinder) => rewinder.rewind(&mut live.store).then_some((live, InstanceOrigin::Rewound)),
        None => Some((live, InstanceOrigin::Reused)),
    }
}

fn new(
    callee: &Callee,
    call: Call<'_>,
    now: Instant,
) -> Result<(PooledInstance, InstanceOrigin), (RewindableStore<State>, wasmtime::Error)> {
    let state = State::new(callee.settings.clone(), call, now);
    let mut store = RewindableStore::new(&callee.program.engine, state, |store| State::set_up(store, call.limits));
    // All limits are in place before the first guest instruction: instantiation runs start functions.
    State::start_budget_of(&mut store, call.limits.decision);
    match instantiate(callee, &mut store, call.limits) {
        Ok((entry, rewindable)) => {
            let memory_bytes = store.data().limiter.memory_granted();
            Ok((
                PooledInstance { store, entry, calls: 0, rewindable, memory_bytes, reservation: None },
                InstanceOrigin::New,
            ))
        }
        Err(error) => Err((store, error)),
    }
}
