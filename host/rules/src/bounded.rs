//! Tables that are bounded in entries and in bytes; the least useful entries go first.

use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

pub type Bounded<K, V, H> = Cache<K, V, Weight, H, DefaultLifecycle<K, V>>;

/// What an entry takes beside its key and its value, about: its place in the table, allocations.
const ENTRY_BYTES: usize = 128;

/// What a prepared peer takes that is kept with a route, about.
pub const PEER_BYTES: usize = 1024;

/// Parts of a table that threads use at the same time: one for each four cores, 8 at most. Where many tables are used
/// in turn, each part is more memory that is not in the caches when its turn comes.
static SHARDS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZero::get).div_ceil(4).min(8));

/// Each entry weighs so much at least that a table which is full in bytes has no more entries than it may have.
pub fn bounded<K: Eq + Hash, V: Clone, H: BuildHasher + Clone>(
    entries: usize,
    bytes: u64,
    hasher: H,
) -> Bounded<K, V, H>
where
    Weight: Weighter<K, V>,
{
    let least = bytes / u64::try_from(entries).unwrap_or(u64::MAX).max(1);
    let (weight, lifecycle) = (Weight { least: least.max(1) }, DefaultLifecycle::default());
    match OptionsBuilder::new().estimated_items_capacity(entries).weight_capacity(bytes).shards(*SHARDS).build() {
        Ok(options) => Cache::with_options(options, weight, hasher, lifecycle),
        Err(_) => Cache::with(entries, bytes, weight, hasher, lifecycle),
    }
}

#[derive(Clone)]
pub struct Weight {
    least: u64,
}

impl Weight {
    /// Of an entry whose key and value take so much.
    pub fn of(&self, bytes: usize) -> u64 {
        u64::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u64::MAX).max(self.least)
    }
}
