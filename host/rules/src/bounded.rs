//! Tables that are bounded in entries and in bytes; the least useful entries are evicted first.

use std::hash::{BuildHasher, Hash};
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

pub type Bounded<K, V, H> = Cache<K, V, Weight, H, DefaultLifecycle<K, V>>;

/// Approximate overhead of an entry in addition to its key and value, in bytes: its slot in the table, allocations.
const ENTRY_BYTES: usize = 128;

/// Approximate size of the prepared peer that is kept with a route, in bytes.
pub const PEER_BYTES: usize = 1024;

/// Shards of a table, which threads use concurrently: one for every four cores, at most 8. With many tables in use,
/// each further shard is memory that is no longer in the CPU caches when it is needed again.
static SHARDS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, NonZero::get).div_ceil(4).min(8));

/// Makes a table. Every entry has a minimum weight, such that a table which is full in bytes holds at most `entries`
/// entries.
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
    /// The weight of an entry whose key and value take this many bytes.
    pub fn of(&self, bytes: usize) -> u64 {
        u64::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u64::MAX).max(self.least)
    }
}
