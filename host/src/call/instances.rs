//! Instances that decide more than once, where the operator wants that for a tenant (`instance_calls`). Each belongs to
//! one module of one tenant.

use std::fmt;

use parking_lot::Mutex;
use wasmtime::Store;

use crate::bindings::Router;
use crate::call::State;

/// The idle instances of a module: at most one for each thread, since a decision holds its thread.
pub struct Instances {
    most_calls: u32,
    /// None: whatever comes back is let go, since the module does not serve.
    idle: Mutex<Option<Vec<Live>>>,
}

/// An instance, and how often it decided.
pub(super) struct Live {
    pub store: Store<State>,
    pub router: Router,
    pub calls: u32,
}

impl Instances {
    /// Each decides so many times. With 1 none is ever kept.
    pub fn new(most_calls: u32) -> Instances {
        Instances { most_calls, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Whether any may decide again.
    pub fn are_kept(&self) -> bool {
        self.most_calls > 1
    }

    pub(super) fn take(&self) -> Option<Live> {
        if !self.are_kept() {
            return None;
        }
        self.idle.lock().as_mut()?.pop()
    }

    /// Keeps an instance that decided without a trap, until it has done so often enough.
    pub(super) fn keep(&self, live: Live) {
        if live.calls < self.most_calls
            && let Some(idle) = self.idle.lock().as_mut()
        {
            idle.push(live);
        }
    }

    /// Keeps none from now on, and lets go of those that wait; or keeps them again.
    pub fn keep_any(&self, keep: bool) {
        let mut idle = self.idle.lock();
        match keep {
            true => _ = idle.get_or_insert_default(),
            false => *idle = None,
        }
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instances({} calls)", self.most_calls)
    }
}
