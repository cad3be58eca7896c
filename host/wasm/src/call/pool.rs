//! Pools of instances that have decided and can be rewound: one pool per module, within a budget of the engine.
//! Instances of the modules that were not called for longest are evicted first.

use std::collections::VecDeque;

use super::sync::{Arc, AtomicBool, AtomicUsize, Mutex, Ordering, Weak};
use crate::engine::REWOUND_SLOTS;

/// Most linear memory of all pooled instances together, in bytes; less of it is resident.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// An instance, as its pool sees it.
pub trait Poolable: Sized {
    /// Linear memory that it began with, in bytes.
    fn initial_memory(&self) -> usize;

    /// Whether it has its share of the budget, which it keeps until it is dropped.
    fn has_reservation(&self) -> bool;

    fn set_reservation(&mut self, reservation: Reservation<Self>);
}

/// The slots and the memory that all pools of an engine share.
pub struct PoolBudget<I> {
    slots: AtomicUsize,
    bytes: AtomicUsize,
    /// Pools that have instances, in the order in which each gives one up.
    turn: Mutex<VecDeque<Weak<InstancePool<I>>>>,
}

/// The instances of one module that wait to be rewound. A decision holds its thread, so there is at most one per
/// thread.
pub struct InstancePool<I> {
    budget: Arc<PoolBudget<I>>,
    /// Slots of the engine's pooling allocator that each instance takes.
    slots: usize,
    idle: Mutex<Idle<I>>,
    /// Whether the pool was used since its last turn.
    used: AtomicBool,
}

struct Idle<I> {
    lives: Vec<I>,
    /// Whether `PoolBudget::turn` contains this pool.
    in_turn: bool,
}

/// The share of one instance in the budget, while it waits and while it decides.
pub struct Reservation<I> {
    budget: Arc<PoolBudget<I>>,
    slots: usize,
    bytes: usize,
}

impl<I> Default for PoolBudget<I> {
    fn default() -> Self {
        PoolBudget { slots: AtomicUsize::new(0), bytes: AtomicUsize::new(0), turn: Mutex::default() }
    }
}

impl<I> InstancePool<I> {
    /// A pool for a module whose instances have this many memories and this many tables.
    pub fn new(budget: &Arc<PoolBudget<I>>, memories: u32, tables: u32) -> InstancePool<I> {
        let slots = usize::try_from(memories.max(tables).max(1)).unwrap_or(usize::MAX);
        let idle = Mutex::new(Idle { lives: Vec::new(), in_turn: false });
        InstancePool { budget: budget.clone(), slots, idle, used: AtomicBool::new(false) }
    }

    pub(super) fn take(&self) -> Option<I> {
        self.idle.lock().lives.pop()
    }

    pub(super) fn keep(self: &Arc<InstancePool<I>>, mut live: I)
    where
        I: Poolable,
    {
        if !live.has_reservation() {
            let Some(reservation) = self.budget.reserve(self.slots, live.initial_memory()) else { return };
            live.set_reservation(reservation);
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
    fn give_up(&self) -> (Option<I>, bool) {
        let mut idle = self.idle.lock();
        let live = if self.used.swap(false, Ordering::Relaxed) { None } else { idle.lives.pop() };
        idle.in_turn = !idle.lives.is_empty();
        (live, idle.in_turn)
    }
}

impl<I> PoolBudget<I> {
    /// Reserves a share for one more instance, for which others may be evicted. None: there is no room.
    fn reserve(self: &Arc<PoolBudget<I>>, slots: usize, bytes: usize) -> Option<Reservation<I>> {
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

    fn next_to_go(&self) -> Option<I> {
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

    fn add(&self, pool: Weak<InstancePool<I>>) {
        let mut turn = self.turn.lock();
        // Instead of growing, first removes the pools of modules that no longer exist.
        if turn.len() == turn.capacity() {
            turn.retain(|pool| pool.strong_count() > 0);
        }
        turn.push_back(pool);
    }
}

impl<I> Drop for Reservation<I> {
    fn drop(&mut self) {
        self.budget.slots.fetch_sub(self.slots, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
