//! Keeps instances that decide more than once. Each belongs to one module of one tenant.

use std::fmt;

use super::pool::{InstancePool, Poolable};
use super::sync::{Arc, AtomicBool, Mutex, Ordering};

/// An instance that has decided, with all on which it depends whether it may decide again.
pub trait Reusable: Poolable {
    /// Whether it may decide again with the state that it has: one that decided less than `most_calls` times, and has
    /// at most `most_memory` bytes of linear memory.
    fn may_be_reused(&self, most_calls: u32, most_memory: usize) -> bool;

    /// Whether all that its decision changed can be put back.
    fn may_be_rewound(&self) -> bool;
}

/// Keeps or drops a module's instances after they have decided, by a policy.
pub struct Instances<I> {
    after: ReusePolicy<I>,
    /// Whether the module serves. If not, instances that come back are dropped.
    serves: AtomicBool,
}

enum ReusePolicy<I> {
    /// Each decides up to `most_calls` times and keeps its state, if the operator wants that for a tenant
    /// (`instance_calls`). At most one is idle for each thread, since a decision holds its thread.
    AsTheyAre {
        most_calls: u32,
        idle: Mutex<Vec<I>>,
    },
    /// They are put back to the state in which they began.
    Rewound(Arc<InstancePool<I>>),
    Never,
}

impl<I> Instances<I> {
    /// Each decides once.
    pub fn fresh() -> Instances<I> {
        Instances::new(ReusePolicy::Never)
    }

    /// Each decides up to `most_calls` times.
    pub fn reused(most_calls: u32) -> Instances<I> {
        Instances::new(ReusePolicy::AsTheyAre { most_calls, idle: Mutex::default() })
    }

    /// Each is rewound before it decides again.
    pub fn rewound(pool: InstancePool<I>) -> Instances<I> {
        Instances::new(ReusePolicy::Rewound(Arc::new(pool)))
    }

    fn new(after: ReusePolicy<I>) -> Instances<I> {
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

    pub(super) fn take(&self) -> Option<I> {
        match &self.after {
            ReusePolicy::AsTheyAre { idle, .. } => idle.lock().pop(),
            ReusePolicy::Rewound(pool) => pool.take(),
            ReusePolicy::Never => None,
        }
    }

    /// Keeps an instance that decided without a trap, if it may decide again.
    pub(super) fn keep(&self, live: I, most_memory: usize)
    where
        I: Reusable,
    {
        if !self.serves.load(Ordering::SeqCst) {
            return;
        }
        match &self.after {
            ReusePolicy::AsTheyAre { most_calls, idle } => {
                if live.may_be_reused(*most_calls, most_memory) {
                    idle.lock().push(live);
                }
            }
            ReusePolicy::Rewound(pool) => {
                if live.may_be_rewound() {
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

impl<I> Drop for Instances<I> {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl<I> fmt::Debug for Instances<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.after {
            ReusePolicy::AsTheyAre { .. } => "Instances(reused)",
            ReusePolicy::Rewound(_) => "Instances(rewound)",
            ReusePolicy::Never => "Instances(fresh)",
        })
    }
}
