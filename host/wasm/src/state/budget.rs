//! The time budget of a decision: CPU time of the thread, not wall time.
//!
//! Compiled code checks the engine's epoch, which a ticker advances (`call::Ticker`), and calls back here at the first
//! tick after the start of the budget. The callback reads the thread's CPU clock and traps only when the budget is
//! truly spent.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Store, UpdateDeadline};

/// The CPU time that a decision may use, counted from its first tick.
#[derive(Debug, Default)]
pub struct Budget {
    limit: Duration,
    /// CPU time of the thread at the first tick.
    first_seen: Option<Duration>,
}

/// The trap that ends a decision whose budget is spent.
#[derive(Debug, thiserror::Error)]
#[error("the decision's time budget is spent")]
pub struct BudgetSpent;

impl Budget {
    /// Lets a new store be interrupted when the budget in its data is spent.
    pub fn enforce<T: 'static>(store: &mut Store<T>, budget: fn(&mut T) -> &mut Budget) {
        store.epoch_deadline_callback(move |mut store| budget(store.data_mut()).check());
    }

    /// A budget that begins at the next tick. A store must have it, and an epoch deadline of one tick, before its first
    /// guest instruction, start functions included, and the engine's ticker must run (`call::Pulse::enter`).
    pub fn new(limit: Duration) -> Budget {
        Budget { limit, first_seen: None }
    }

    fn check(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = thread_cpu_time();
        let start = *self.first_seen.get_or_insert(now);
        if now.saturating_sub(start) >= self.limit {
            return Err(BudgetSpent.into());
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

/// CPU time that the current thread has used.
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}
