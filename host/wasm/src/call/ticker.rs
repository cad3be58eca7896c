//! Advances the engine's epoch for the time budget.
//!
//! A ticker thread advances the epoch. Compiled code checks it and, at the first tick after its start, calls back into
//! `state::Budget`; the callback reads the thread's CPU clock and traps only when the budget is truly spent. So a
//! decision that merely lost its core on a busy machine is not cut off. A decision that ends before its first tick, as
//! nearly all do, never reads the clock at all. The price is precision: a decision may exceed its budget by the time
//! until its first tick, and one tick more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// Time between epochs once a tick has found a decision running, until a tick finds none.
const TICK: Duration = Duration::from_millis(1);

/// Time between epochs otherwise. Decisions are short, so most ticks find none, and each tick takes the core from a
/// thread that serves.
const CALM_TICK: Duration = Duration::from_millis(4);

/// Consecutive ticks without a decision after which the ticker rests. Waking it costs a decision a few microseconds.
const IDLE_TICKS: u32 = 25;

/// Advances the epoch of an engine for as long as it exists, but only while guest code runs.
pub struct Ticker {
    pulse: Arc<Pulse>,
    thread: Option<JoinHandle<()>>,
}

/// State that decisions share with the ticker.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Decisions and builds under way.
    running: AtomicUsize,
    rests: AtomicBool,
    stop: AtomicBool,
    ticker: OnceLock<Thread>,
}

/// Guest code may run while this exists: the epoch advances.
#[derive(Debug)]
pub struct Running<'a>(&'a Pulse);

impl Ticker {
    pub fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let pulse = Arc::new(Pulse::default());
        let (engine, shared) = (engine.clone(), pulse.clone());
        let thread = std::thread::Builder::new().name("epoch".to_owned()).spawn(move || shared.tick(&engine))?;
        Ok(Ticker { pulse, thread: Some(thread) })
    }

    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Pulse {
    /// Must be called before guest code runs, and the result kept until that has ended.
    pub fn enter(&self) -> Running<'_> {
        // `rest` does these in the opposite order, so one of the two sees the other.
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.rests.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(self)
    }

    fn wake(&self) {
        if let Some(ticker) = self.ticker.get() {
            ticker.unpark();
        }
    }

    fn tick(&self, engine: &Engine) {
        // Set once, only here.
        let _ = self.ticker.set(std::thread::current());
        let mut idle = 0_u32;
        while !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(if idle == 0 { TICK } else { CALM_TICK });
            engine.increment_epoch();
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle.saturating_add(1) } else { 0 };
            if idle >= IDLE_TICKS {
                self.rest();
                idle = 1;
            }
        }
    }

    /// Waits for the next decision.
    fn rest(&self) {
        self.rests.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.rests.store(false, Ordering::SeqCst);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pulse.stop.store(true, Ordering::SeqCst);
        self.pulse.wake();
        if let Some(thread) = self.thread.take() {
            // The thread only sleeps and counts: it has nothing to report.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Config, Instance, Module, Store};

    use super::*;
    use crate::state::{Budget, BudgetSpent};

    #[test]
    fn decision_after_an_idle_period_is_bounded_too() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).expect("an engine");
        let ticker = Ticker::start(&engine).expect("a ticker");
        let module = wat::parse_str(r#"(module (func (export "spin") (loop (br 0))))"#).expect("WAT");
        let module = Module::new(&engine, module).expect("a module");
        for _ in 0..2 {
            while !ticker.pulse().rests.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let mut store = Store::new(&engine, Budget::default());
            Budget::enforce(&mut store, |budget| budget);
            let running = ticker.pulse().enter();
            *store.data_mut() = Budget::new(Duration::from_millis(3));
            store.set_epoch_deadline(1);
            let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
            let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").expect("a function");
            assert!(spin.call(&mut store, ()).is_err_and(|error| error.is::<BudgetSpent>()));
            drop(running);
        }
    }

    #[test]
    fn idle_ticker_can_be_stopped() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).expect("a ticker");
        while !ticker.pulse().rests.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        drop(ticker);
    }
}
