//! An instance that has decided, as the pools keep it.

use pointsman_rewind::RewindableStore;

use crate::abi::v0_1::Entry;
use crate::call::instances::Reusable;
use crate::call::pool::{Poolable, Reservation};
use crate::state::State;

/// An instance, and the number of its decisions.
pub struct PooledInstance {
    pub(super) store: RewindableStore<State>,
    pub(super) entry: Entry,
    pub(super) calls: u32,
    /// Whether it is rewound, so that each decision begins by restoring its globals.
    pub(super) rewindable: bool,
    /// Linear memory that it began with, in bytes.
    pub(super) memory_bytes: usize,
    /// Its share of the pools' budget, once it is pooled to be rewound. Last, so that it ends after the store.
    pub(super) reservation: Option<Reservation<PooledInstance>>,
}

impl Poolable for PooledInstance {
    fn initial_memory(&self) -> usize {
        self.memory_bytes
    }

    fn has_reservation(&self) -> bool {
        self.reservation.is_some()
    }

    fn set_reservation(&mut self, reservation: Reservation<PooledInstance>) {
        self.reservation = Some(reservation);
    }
}

impl Reusable for PooledInstance {
    fn may_be_reused(&self, most_calls: u32, most_memory: usize) -> bool {
        self.calls < most_calls && self.store.data().limiter.memory_granted() <= most_memory
    }

    fn may_be_rewound(&self) -> bool {
        // Neither grown memory nor a handle can be taken back.
        let state = self.store.data();
        self.rewindable && state.limiter.memory_granted() == self.memory_bytes && !state.had_handles
    }
}
