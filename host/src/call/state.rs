//! What a store holds while a decision runs: the one request that it is about, and the notes that the host takes.

use std::sync::Arc;
use std::time::Instant;

use crate::call::Call;
use crate::call::limiter::Limiter;
use crate::call::log::LogLines;
use crate::call::pagemap::Memory;
use crate::call::reads::{Read, Reads};
use crate::call::wasi::{Output, Randomness};
use crate::door::RequestHead;
use crate::module::ModuleSettings;
use crate::raw;
use crate::stores::Stores;

pub(crate) struct State {
    pub head: Arc<RequestHead>,
    pub attempts: Arc<[raw::Attempt]>,
    pub settings: Arc<ModuleSettings>,
    /// None in `configure`.
    pub stores: Option<Arc<Stores>>,
    /// When the decision began; time stands still from then on.
    pub now: Instant,
    /// The same by the wall's clock, once it was asked for.
    pub wall_ms: Option<u64>,
    /// What an earlier decision of the same instance saw: time never goes back for it.
    pub not_before_ms: u64,
    pub reads: Reads,
    pub lines: LogLines,
    pub limiter: Limiter,
    pub wasi_output: Output,
    pub wasi_random: Randomness,
    /// Handles of WASI's resources that the module holds.
    pub wasi_handles: usize,
    /// Whether it got any, now or earlier in this decision.
    pub had_handles: bool,
    /// Where the instance's memories lie, if it can be rewound.
    pub memories: Vec<Memory>,
    /// That of them in which its answers are, if they can be read.
    pub answers_memory: Option<Memory>,
    /// Calls of the host's functions that are left.
    calls_left: usize,
}

/// The module called the host too often; the trap that ends the decision.
#[derive(Debug, thiserror::Error)]
#[error("the decision's calls of the host are spent")]
pub struct CallsSpent;

/// Called in `configure`: what outlives a decision is not to be had there.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not to be called in `configure`: its state is made once and used by every decision")]
pub struct NotInConfigure(&'static str);

impl State {
    pub fn new(settings: Arc<ModuleSettings>, call: Call<'_>, now: Instant) -> State {
        State {
            head: call.head.clone(),
            attempts: call.attempts.clone(),
            settings,
            stores: call.stores.cloned(),
            now,
            wall_ms: None,
            not_before_ms: 0,
            reads: Reads::default(),
            lines: LogLines::new(call.limits.log_bytes),
            limiter: Limiter::new(call.limits),
            wasi_output: Output::default(),
            wasi_random: Randomness::default(),
            wasi_handles: 0,
            had_handles: false,
            memories: Vec::new(),
            answers_memory: None,
            calls_left: call.limits.host_calls,
        }
    }

    /// For the next call of the same instance, which has the memory that it has.
    pub fn renew(&mut self, call: Call<'_>, now: Instant) {
        let mut next = State::new(self.settings.clone(), call, now);
        next.limiter.inherit(&self.limiter);
        next.memories = std::mem::take(&mut self.memories);
        next.answers_memory = self.answers_memory;
        next.not_before_ms = self.wall_ms.unwrap_or(self.not_before_ms);
        *self = next;
    }

    /// What is in the memory of answers, as far as it was there at the start.
    pub fn answers(&self) -> Option<&[u8]> {
        // SAFETY: The state is in the store that the memory belongs to. As long as it is borrowed, the store runs nothing.
        #[expect(unsafe_code, reason = "see `pagemap`")]
        self.answers_memory.map(|memory| unsafe { memory.contents() })
    }

    /// To be called first by every function that the host offers.
    pub fn count_call(&mut self) -> wasmtime::Result<()> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or(CallsSpent)?;
        Ok(())
    }

    /// Counts a call of the function of this name, and returns what outlives a decision. A call beyond the limit fails
    /// here, before it has an effect.
    pub fn stores(&mut self, function: &'static str) -> wasmtime::Result<&Stores> {
        self.count_call()?;
        Ok(self.stores.as_deref().ok_or(NotInConfigure(function))?)
    }

    /// Counts a call that only reads something, and keeps what it read.
    pub fn note(&mut self, read: Read) -> wasmtime::Result<()> {
        self.count_call()?;
        self.reads.note(read);
        Ok(())
    }
}
