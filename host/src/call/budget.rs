//! The time budget of a decision: CPU time of the thread, not wall time.
//!
//! A ticker thread advances the engine's epoch. Compiled code checks the epoch and, one tick after its start, calls
//! back here; the callback reads the thread's CPU clock and traps only when the budget is truly spent. On a busy
//! machine a decision that merely lost its core is not cut off. A decision that ends within its first tick, as nearly
//! all do, never reads the clock at all. The price is exactness: a decision may run up to two ticks over its budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, Store, UpdateDeadline};

/// Time between epochs.
const TICK: Duration = Duration::from_millis(1);

/// The budget was spent; the trap that ends the decision.
#[derive(Debug, thiserror::Error)]
#[error("the decision's time budget is spent")]
pub struct BudgetSpent;

/// Advances the epoch of an engine for as long as it lives.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        })?;
        Ok(Ticker { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread only sleeps and counts: it has nothing to report.
            let _ = thread.join();
        }
    }
}

/// Starts the budget. Must come before the first guest instruction, start functions included.
pub fn start<T: 'static>(store: &mut Store<T>, budget: Duration) {
    let mut first_seen: Option<Duration> = None;
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        let now = thread_cpu_time();
        let start = *first_seen.get_or_insert(now);
        if now.saturating_sub(start) >= budget {
            return Err(BudgetSpent.into());
        }
        Ok(UpdateDeadline::Continue(1))
    });
}

/// CPU time that the current thread has used.
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}
