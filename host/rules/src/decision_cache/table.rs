//! The table of steps. A value that comes once does not push out one that comes often.

use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::{Equivalent, Weighter};

use crate::bounded::{Bounded, PEER_BYTES, Weight, bounded};
use crate::checked::Answer;
use crate::decision_cache::node::Node;
use crate::decision_cache::saw::Saw;

/// What comes next.
#[derive(Debug, Clone)]
pub enum Step {
    Read(Arc<Node>),
    Answer(Answer),
}

/// The number of a node, and what its reads saw.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    node: u64,
    saw: Box<[u8]>,
}

/// A key as it is looked for.
#[derive(Hash)]
struct Asked<'a> {
    node: u64,
    saw: &'a [u8],
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.node == key.node && *self.saw == *key.saw
    }
}

pub struct Table {
    /// Keys are hashed with a secret: a client can't make them collide.
    steps: Bounded<Key, Step, RandomState>,
}

impl Table {
    pub fn new(entries: usize, bytes: u64) -> Table {
        Table { steps: bounded(entries, bytes, RandomState::new()) }
    }

    pub fn get(&self, node: &Node, saw: &Saw) -> Option<Step> {
        self.steps.get(&Asked { node: node.number, saw: saw.bytes() })
    }

    pub fn put(&self, node: &Node, saw: &Saw, step: Step) {
        self.steps.insert(Key { node: node.number, saw: saw.bytes().into() }, step);
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

/// As if no answer was shared: what one takes must not depend on which others are still there.
impl Weighter<Key, Step> for Weight {
    fn weight(&self, key: &Key, step: &Step) -> u64 {
        let step = match step {
            Step::Read(node) => node.bytes(),
            Step::Answer(answer) => answer.bytes().saturating_add(PEER_BYTES),
        };
        self.of(key.saw.len().saturating_add(step))
    }
}
