//! Keeps instances that decide more than once. Each belongs to one module of one tenant.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pointsman_rewind::RewindableStore;

use crate::abi::v0_1::Entry;
use crate::call::pool::{InstancePool, Reservation};
use crate::state::State;

/// Keeps or drops a module's instances after they have decided, by a policy.
pub struct Instances {
    after: ReusePolicy,
    /// Whether the module serves. If not, instances that come back are dropped.
    serves: AtomicBool,
}

enum ReusePolicy {
    /// Each decides up to `most_calls` times and keeps its state, if the operator wants that for a tenant
    /// (`instance_calls`). At most one is idle for each thread, since a decision holds its thread.
    AsTheyAre {
        most_calls: u32,
        idle: Mutex<Vec<PooledInstance>>,
    },
    /// They are put back to the state in which they began.
    Rewound(Arc<InstancePool>),
    Never,
}

/// An instance, and the number of its decisions.
pub(super) struct PooledInstance {
    pub store: RewindableStore<State>,
    pub entry: Entry,
    pub calls: u32,
    /// Whether it is rewound, so that each decision begins by restoring its globals.
    pub rewindable: bool,
    /// Linear memory that it began with, in bytes.
    pub memory_bytes: usize,
    /// Its share of the pools' budget, once it is pooled to be rewound.
    pub reservation: Option<Reservation>,
}

impl Instances {
    /// Each decides once.
    pub fn fresh() -> Instances {
        Instances::new(ReusePolicy::Never)
    }

    /// Each decides up to `most_calls` times.
    pub fn reused(most_calls: u32) -> Instances {
        Instances::new(ReusePolicy::AsTheyAre { most_calls, idle: Mutex::default() })
    }

    /// Each is rewound before it decides again.
    pub fn rewound(pool: InstancePool) -> Instances {
        Instances::new(ReusePolicy::Rewound(Arc::new(pool)))
    }

    fn new(after: ReusePolicy) -> Instances {
        Instances { after, serves: AtomicBool::new(true) }
    }

    /// Whether an instance may remember an earlier decision.
    pub fn remember(&self) -> bool {
        matches!(self.after, ReusePolicy::AsTheyAre { .. })
    }

    /// Whether an instance is rewound before it decides again.
    pub fn are_rewound(&self) -> bool {
        matches!(self.after, ReusePolicy::Rewound(_))
    }

    pub(super) fn take(&self) -> Option<PooledInstance> {
        match &self.after {
            ReusePolicy::AsTheyAre { idle, .. } => idle.lock().pop(),
            ReusePolicy::Rewound(pool) => pool.take(),
            ReusePolicy::Never => None,
        }
    }

    /// Keeps an instance that decided without a trap, if it may decide again.
    pub(super) fn keep(&self, live: PooledInstance, most_memory: usize) {
        if !self.serves.load(Ordering::SeqCst) {
            return;
        }
        let memory_bytes = live.store.data().limiter.memory_granted();
        match &self.after {
            ReusePolicy::AsTheyAre { most_calls, idle } => {
                if live.calls < *most_calls && memory_bytes <= most_memory {
                    idle.lock().push(live);
                }
            }
            ReusePolicy::Rewound(pool) => {
                // Neither grown memory nor a handle can be taken back.
                if live.rewindable && memory_bytes == live.memory_bytes && !live.store.data().had_handles {
                    pool.keep(live);
                }
            }
            ReusePolicy::Never => {}
        }
        // The module may have stopped serving meanwhile, before this instance was in the list.
        if !self.serves.load(Ordering::SeqCst) {
            self.let_go();
        }
    }

    /// Keeps instances from now on; or drops those that wait, and keeps none.
    pub fn keep_any(&self, keep: bool) {
        self.serves.store(keep, Ordering::SeqCst);
        if !keep {
            self.let_go();
        }
    }

    fn let_go(&self) {
        match &self.after {
            ReusePolicy::AsTheyAre { idle, .. } => {
                let lives = std::mem::take(&mut *idle.lock());
                // Dropped without the lock, since it takes system calls.
                drop(lives);
            }
            ReusePolicy::Rewound(pool) => pool.let_go(),
            ReusePolicy::Never => {}
        }
    }
}

impl Drop for Instances {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.after {
            ReusePolicy::AsTheyAre { .. } => "Instances(reused)",
            ReusePolicy::Rewound(_) => "Instances(rewound)",
            ReusePolicy::Never => "Instances(fresh)",
        })
    }
}
