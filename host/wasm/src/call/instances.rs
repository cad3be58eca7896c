//! Instances that decide more than once. Each belongs to one module of one tenant.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pointsman_rewind::RewindableStore;

use crate::abi::v0_1::Entry;
use crate::call::piles::{Pile, Place};
use crate::state::State;

/// What becomes of a module's instances when they have decided.
pub struct Instances {
    after: After,
    /// Whether the module serves: whatever comes back otherwise is let go.
    serves: AtomicBool,
}

enum After {
    /// Each decides so many times, with what it remembers, where the operator wants that for a tenant
    /// (`instance_calls`). At most one is idle for each thread, since a decision holds its thread.
    AsTheyAre {
        most_calls: u32,
        idle: Mutex<Vec<Live>>,
    },
    /// They are put back to the state in which they began.
    Rewound(Arc<Pile>),
    Never,
}

/// An instance, and how often it decided.
pub(super) struct Live {
    pub store: RewindableStore<State>,
    pub entry: Entry,
    pub calls: u32,
    /// Whether it is to be rewound, so that each decision begins by setting its globals back.
    pub rewindable: bool,
    /// Linear memory that it began with, in bytes.
    pub memory_bytes: usize,
    /// Among those that are kept to be rewound, once it is one of them.
    pub place: Option<Place>,
}

impl Instances {
    /// Each decides once.
    pub fn fresh() -> Instances {
        Instances::new(After::Never)
    }

    /// Each decides so many times.
    pub fn reused(most_calls: u32) -> Instances {
        Instances::new(After::AsTheyAre { most_calls, idle: Mutex::default() })
    }

    /// Each decides once, and is rewound then.
    pub fn rewound(pile: Pile) -> Instances {
        Instances::new(After::Rewound(Arc::new(pile)))
    }

    fn new(after: After) -> Instances {
        Instances { after, serves: AtomicBool::new(true) }
    }

    /// Whether any may remember an earlier decision.
    pub fn remember(&self) -> bool {
        matches!(self.after, After::AsTheyAre { .. })
    }

    /// Whether one that is taken is to be rewound first.
    pub fn are_rewound(&self) -> bool {
        matches!(self.after, After::Rewound(_))
    }

    pub(super) fn take(&self) -> Option<Live> {
        match &self.after {
            After::AsTheyAre { idle, .. } => idle.lock().pop(),
            After::Rewound(pile) => pile.take(),
            After::Never => None,
        }
    }

    /// Keeps an instance that decided without a trap, if it may decide again.
    pub(super) fn keep(&self, live: Live, most_memory: usize) {
        if !self.serves.load(Ordering::SeqCst) {
            return;
        }
        let memory_bytes = live.store.data().limiter.memory_granted();
        match &self.after {
            After::AsTheyAre { most_calls, idle } => {
                if live.calls < *most_calls && memory_bytes <= most_memory {
                    idle.lock().push(live);
                }
            }
            After::Rewound(pile) => {
                // Neither a memory that grew nor a handle can be taken back.
                if live.rewindable && memory_bytes == live.memory_bytes && !live.store.data().had_handles {
                    pile.keep(live);
                }
            }
            After::Never => {}
        }
        // Told meanwhile that the module does not serve, and the list was empty then.
        if !self.serves.load(Ordering::SeqCst) {
            self.let_go();
        }
    }

    /// Keeps none from now on, and lets go of those that wait; or keeps them again.
    pub fn keep_any(&self, keep: bool) {
        self.serves.store(keep, Ordering::SeqCst);
        if !keep {
            self.let_go();
        }
    }

    fn let_go(&self) {
        match &self.after {
            After::AsTheyAre { idle, .. } => {
                let lives = std::mem::take(&mut *idle.lock());
                // Without the lock: it takes system calls.
                drop(lives);
            }
            After::Rewound(pile) => pile.let_go(),
            After::Never => {}
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
            After::AsTheyAre { .. } => "Instances(reused)",
            After::Rewound(_) => "Instances(rewound)",
            After::Never => "Instances(fresh)",
        })
    }
}
