//! Instances that have decided and can be rewound. Each module has its own; of all modules of an engine together only
//! so many live, and those of modules that were not asked for longer go first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::call::instances::Live;
use crate::engine::REWOUND_SLOTS;

/// Most linear memory that they have together, in bytes; what they touched of it is less.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The instances of an engine.
#[derive(Default)]
pub struct Piles {
    slots: AtomicUsize,
    bytes: AtomicUsize,
    /// Piles that have instances, in turn to let go of one.
    turn: Mutex<VecDeque<Weak<Pile>>>,
}

/// The instances of one module that wait to be rewound. A decision holds its thread, so there is at most one for each.
pub struct Pile {
    piles: Arc<Piles>,
    /// Slots of the engine's pool that each has.
    slots: usize,
    idle: Mutex<Idle>,
    /// Since its turn came last.
    used: AtomicBool,
}

#[derive(Default)]
struct Idle {
    lives: Vec<Live>,
    /// Whether `Piles::turn` has the pile.
    in_turn: bool,
}

/// An instance that is counted, while it waits and while it decides.
pub(super) struct Place {
    piles: Arc<Piles>,
    slots: usize,
    bytes: usize,
}

impl Pile {
    /// For a module whose instances have so many memories and so many tables.
    pub fn new(piles: &Arc<Piles>, memories: u32, tables: u32) -> Pile {
        let slots = usize::try_from(memories.max(tables).max(1)).unwrap_or(usize::MAX);
        Pile { piles: piles.clone(), slots, idle: Mutex::default(), used: AtomicBool::new(false) }
    }

    pub(super) fn take(&self) -> Option<Live> {
        self.idle.lock().lives.pop()
    }

    pub(super) fn keep(self: &Arc<Pile>, mut live: Live) {
        if live.place.is_none() {
            let Some(place) = self.piles.place(self.slots, live.memory_bytes) else { return };
            live.place = Some(place);
        }
        self.used.store(true, Ordering::Relaxed);
        let mut idle = self.idle.lock();
        idle.lives.push(live);
        let in_turn = std::mem::replace(&mut idle.in_turn, true);
        drop(idle);
        if !in_turn {
            self.piles.add(Arc::downgrade(self));
        }
    }

    pub(super) fn let_go(&self) {
        let lives = std::mem::take(&mut self.idle.lock().lives);
        // Dropping an instance takes system calls: the lock is not held meanwhile.
        drop(lives);
    }

    /// One of its instances, if none was used since its last turn; and whether it is to stay in turn.
    fn give_up(&self) -> (Option<Live>, bool) {
        let mut idle = self.idle.lock();
        let live = if self.used.swap(false, Ordering::Relaxed) { None } else { idle.lives.pop() };
        idle.in_turn = !idle.lives.is_empty();
        (live, idle.in_turn)
    }
}

impl Piles {
    /// Counts one more, for which others may have to go.
    fn place(self: &Arc<Piles>, slots: usize, bytes: usize) -> Option<Place> {
        if bytes > MOST_BYTES {
            return None;
        }
        self.slots.fetch_add(slots, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let place = Place { piles: self.clone(), slots, bytes };
        while self.slots.load(Ordering::Relaxed) > REWOUND_SLOTS || self.bytes.load(Ordering::Relaxed) > MOST_BYTES {
            // Letting go of an instance takes system calls: no lock is held meanwhile.
            drop(self.next_to_go()?);
        }
        Some(place)
    }

    fn next_to_go(&self) -> Option<Live> {
        // Of modules that nobody else has any more: their instances go with them, so they outlive the lock.
        let mut last = Vec::new();
        let mut turn = self.turn.lock();
        // Once round all may have been used.
        for _ in 0..turn.len().saturating_mul(2) {
            let pile = turn.pop_front()?;
            let Some(of_module) = pile.upgrade() else { continue };
            let (live, stays) = of_module.give_up();
            last.push(of_module);
            if stays {
                turn.push_back(pile);
            }
            if live.is_some() {
                return live;
            }
        }
        None
    }

    fn add(&self, pile: Weak<Pile>) {
        let mut turn = self.turn.lock();
        // Without those of modules that are no more.
        if turn.len() == turn.capacity() {
            turn.retain(|pile| pile.strong_count() > 0);
        }
        turn.push_back(pile);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.piles.slots.fetch_sub(self.slots, Ordering::Relaxed);
        self.piles.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
