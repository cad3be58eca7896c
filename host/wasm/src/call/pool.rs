//! Pools of instances that have decided and can be rewound: one pool per module, within a budget of the engine.
//! Instances of the modules that were not called for longest are evicted first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::call::instances::PooledInstance;
use crate::engine::REWOUND_SLOTS;

/// Most linear memory of all pooled instances together, in bytes; less of it is resident.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The slots and the memory that all pools of an engine share.
#[derive(Default)]
pub struct PoolBudget {
    slots: AtomicUsize,
    bytes: AtomicUsize,
    /// Pools that have instances, in the order in which each gives one up.
    turn: Mutex<VecDeque<Weak<InstancePool>>>,
}

/// The instances of one module that wait to be rewound. A decision holds its thread, so there is at most one per
/// thread.
pub struct InstancePool {
    budget: Arc<PoolBudget>,
    /// Slots of the engine's pooling allocator that each instance takes.
    slots: usize,
    idle: Mutex<Idle>,
    /// Whether the pool was used since its last turn.
    used: AtomicBool,
}

#[derive(Default)]
struct Idle {
    lives: Vec<PooledInstance>,
    /// Whether `PoolBudget::turn` contains this pool.
    in_turn: bool,
}

/// The share of one instance in the budget, while it waits and while it decides.
pub(super) struct Reservation {
    budget: Arc<PoolBudget>,
    slots: usize,
    bytes: usize,
}

impl InstancePool {
    /// A pool for a module whose instances have this many memories and this many tables.
    pub fn new(budget: &Arc<PoolBudget>, memories: u32, tables: u32) -> InstancePool {
        let slots = usize::try_from(memories.max(tables).max(1)).unwrap_or(usize::MAX);
        InstancePool { budget: budget.clone(), slots, idle: Mutex::default(), used: AtomicBool::new(false) }
    }

    pub(super) fn take(&self) -> Option<PooledInstance> {
        self.idle.lock().lives.pop()
    }

    pub(super) fn keep(self: &Arc<InstancePool>, mut live: PooledInstance) {
        if live.reservation.is_none() {
            let Some(reservation) = self.budget.reserve(self.slots, live.memory_bytes) else { return };
            live.reservation = Some(reservation);
        }
        self.used.store(true, Ordering::Relaxed);
        let mut idle = self.idle.lock();
        idle.lives.push(live);
        let in_turn = std::mem::replace(&mut idle.in_turn, true);
        drop(idle);
        if !in_turn {
            self.budget.add(Arc::downgrade(self));
        }
    }

    pub(super) fn let_go(&self) {
        let lives = std::mem::take(&mut self.idle.lock().lives);
        // Dropping an instance takes system calls: the lock is not held meanwhile.
        drop(lives);
    }

    /// Gives up an instance, if none was used since the last turn. Also returns whether the pool stays in the queue.
    fn give_up(&self) -> (Option<PooledInstance>, bool) {
        let mut idle = self.idle.lock();
        let live = if self.used.swap(false, Ordering::Relaxed) { None } else { idle.lives.pop() };
        idle.in_turn = !idle.lives.is_empty();
        (live, idle.in_turn)
    }
}

impl PoolBudget {
    /// Reserves a share for one more instance, for which others may be evicted. None: there is no room.
    fn reserve(self: &Arc<PoolBudget>, slots: usize, bytes: usize) -> Option<Reservation> {
        if bytes > MOST_BYTES {
            return None;
        }
        self.slots.fetch_add(slots, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let reservation = Reservation { budget: self.clone(), slots, bytes };
        while self.slots.load(Ordering::Relaxed) > REWOUND_SLOTS || self.bytes.load(Ordering::Relaxed) > MOST_BYTES {
            // Dropping an instance takes system calls: no lock is held meanwhile.
            drop(self.next_to_go()?);
        }
        Some(reservation)
    }

    fn next_to_go(&self) -> Option<PooledInstance> {
        // Pools whose last reference this may be: dropping one drops its instances, so they outlive the lock.
        let mut last = Vec::new();
        let mut turn = self.turn.lock();
        // In the first round, all pools may turn out to have been used.
        for _ in 0..turn.len().saturating_mul(2) {
            let pool = turn.pop_front()?;
            let Some(of_module) = pool.upgrade() else { continue };
            let (live, stays) = of_module.give_up();
            last.push(of_module);
            if stays {
                turn.push_back(pool);
            }
            if live.is_some() {
                return live;
            }
        }
        None
    }

    fn add(&self, pool: Weak<InstancePool>) {
        let mut turn = self.turn.lock();
        // Instead of growing, first removes the pools of modules that no longer exist.
        if turn.len() == turn.capacity() {
            turn.retain(|pool| pool.strong_count() > 0);
        }
        turn.push_back(pool);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.slots.fetch_sub(self.slots, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
