//! The data of a store while a decision runs: the one request that it is about, and the host's notes.

mod budget;
mod call;
mod clock;
mod limiter;
mod log_lines;
mod output;
mod randomness;

pub use budget::{Budget, BudgetSpent, thread_cpu_time};
pub use call::Call;
pub use limiter::{Limiter, RefusedGrowth};
pub use log_lines::{LogLine, LogLines};
pub use output::Output;
pub use randomness::Randomness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rewind::{HasMemories, Memories, RewindableStore};
use pointsman_rules::config::Limits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::reads::{Read, Reads};
use pointsman_rules::settings::ModuleSettings;
use pointsman_rules::stores::Stores;
use wasmtime::Store;

pub struct State {
    pub inputs: Inputs,
    pub settings: Arc<ModuleSettings>,
    /// None in `configure`.
    pub stores: Option<Arc<Stores>>,
    /// When the decision began: the host's own clock for it, such as for TTLs.
    pub now: Instant,
    /// The wall clock at the decision's first read of it, in milliseconds since 1970.
    pub wall_ms: Option<u64>,
    /// The time that an earlier decision of the same instance saw: its clock never goes back.
    pub not_before_ms: u64,
    pub reads: Reads,
    pub lines: LogLines,
    pub limiter: Limiter,
    pub wasi_output: Output,
    pub randomness: Randomness,
    /// Handles of WASI's resources that the module holds.
    pub wasi_handles: usize,
    /// Whether the module got any in this decision, even if it dropped them.
    pub had_handles: bool,
    pub budget: Budget,
    /// The memories of its instance, if that can be rewound.
    memories: Memories,
    /// Calls of the host's functions that are left.
    calls_left: usize,
}

/// The trap that ends a decision whose module called the host too often.
#[derive(Debug, thiserror::Error)]
#[error("the decision's calls of the host are spent")]
pub struct CallsSpent;

/// The trap for a call in `configure` that needs state which outlives a decision.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be called in `configure`, whose state is used by every decision")]
pub struct NotInConfigure(pub &'static str);

impl State {
    /// Sets a store's limits, except for the time budget, which starts with each call.
    pub fn set_up(store: &mut Store<State>, limits: &Limits) {
        store.limiter(|state| &mut state.limiter);
        store.set_max_component_handles(limits.handles);
        store.set_hostcall_fuel(limits.host_call_bytes);
        Budget::enforce(store, |state| &mut state.budget);
    }

    /// Starts the time budget of a call.
    pub fn start_budget(store: &mut Store<State>, limit: Duration) {
        store.data_mut().budget = Budget::new(limit);
        store.set_epoch_deadline(1);
    }

    /// The same in a store that can be rewound.
    pub fn start_budget_of(store: &mut RewindableStore<State>, limit: Duration) {
        store.data_mut().budget = Budget::new(limit);
        store.set_epoch_deadline(1);
    }

    pub fn new(settings: Arc<ModuleSettings>, call: Call<'_>, now: Instant) -> State {
        State {
            inputs: call.inputs.clone(),
            settings,
            stores: call.stores.cloned(),
            now,
            wall_ms: None,
            not_before_ms: 0,
            reads: Reads::default(),
            lines: LogLines::new(call.limits.log_bytes),
            limiter: Limiter::new(call.limits),
            wasi_output: Output::default(),
            randomness: Randomness::default(),
            wasi_handles: 0,
            had_handles: false,
            budget: Budget::default(),
            memories: Memories::default(),
            calls_left: call.limits.host_calls,
        }
    }

    /// Prepares for the next call of the same instance, which keeps its memory.
    pub fn renew(&mut self, call: Call<'_>, now: Instant) {
        let mut next = State::new(self.settings.clone(), call, now);
        next.limiter.inherit(&self.limiter);
        next.memories = std::mem::take(&mut self.memories);
        next.not_before_ms = self.wall_ms.unwrap_or(self.not_before_ms);
        *self = next;
    }

    /// Calls of the host's functions that the decision may still make.
    pub fn calls_left(&self) -> usize {
        self.calls_left
    }

    /// Must be called first by every function that the host offers.
    pub fn count_call(&mut self) -> wasmtime::Result<()> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or(CallsSpent)?;
        Ok(())
    }

    /// Counts a call of the function of this name, and returns the stores that outlive a decision. A call beyond the
    /// limit fails here, before it has an effect.
    pub fn stores(&mut self, function: &'static str) -> wasmtime::Result<&Stores> {
        self.count_call()?;
        Ok(self.stores.as_deref().ok_or(NotInConfigure(function))?)
    }

    /// Counts a call that only reads something, and notes what it read.
    pub fn note(&mut self, read: Read) -> wasmtime::Result<()> {
        self.count_call()?;
        self.reads.note(read);
        Ok(())
    }
}

impl HasMemories for State {
    fn memories(&self) -> &Memories {
        &self.memories
    }

    fn memories_mut(&mut self) -> &mut Memories {
        &mut self.memories
    }
}
