//! The table that holds the cache's tree, one entry per step. A value that comes once does not evict one that comes
//! often.

use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::{Equivalent, Weighter};

use crate::bounded::{Bounded, PEER_BYTES, Weight, bounded};
use crate::checked::CheckedDecision;
use crate::decision_cache::cache_key::CacheKey;
use crate::decision_cache::node::Node;

/// The result of a step: further reads, or the decision.
#[derive(Debug, Clone)]
pub enum Branch {
    Read(Arc<Node>),
    Answer(CheckedDecision),
}

/// Key of a step: the number of a node, and the values of its reads.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    node: u64,
    key: Box<[u8]>,
}

/// A borrowed [`Key`], for lookups.
#[derive(Hash)]
struct BorrowedKey<'a> {
    node: u64,
    key: &'a [u8],
}

impl Equivalent<Key> for BorrowedKey<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.node == key.node && *self.key == *key.key
    }
}

pub struct Table {
    /// Keys are hashed with a secret, so a client can't make them collide.
    steps: Bounded<Key, Branch, RandomState>,
}

impl Table {
    pub fn new(entries: usize, bytes: u64) -> Table {
        Table { steps: bounded(entries, bytes, RandomState::new()) }
    }

    pub fn get(&self, node: &Node, key: &CacheKey) -> Option<Branch> {
        self.steps.get(&BorrowedKey { node: node.number, key: key.bytes() })
    }

    pub fn put(&self, node: &Node, key: &CacheKey, step: Branch) {
        self.steps.insert(Key { node: node.number, key: key.bytes().into() }, step);
    }

    pub fn size(&self) -> (usize, u64) {
        (self.steps.len(), self.steps.weight())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} steps)", self.steps.len())
    }
}

/// Weighs each entry as if no decision was shared: its weight must not depend on which other entries still exist.
impl Weighter<Key, Branch> for Weight {
    fn weight(&self, key: &Key, step: &Branch) -> u64 {
        let step = match step {
            Branch::Read(node) => node.bytes(),
            Branch::Answer(answer) => answer.bytes().saturating_add(PEER_BYTES),
        };
        self.of(key.key.len().saturating_add(step))
    }
}
