//! The table of steps. A value that comes once does not push out one that comes often.

use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::{Equivalent, Weighter};

use crate::answered::Answer;
use crate::bounded::{Bounded, PEER_BYTES, Weight, bounded};
use crate::call::Read;
use crate::recall::seen::Seen;

/// What comes next.
#[derive(Debug, Clone)]
pub enum Step {
    Read(Arc<Node>),
    Answer(Answer),
}

/// A read, after everything that led to it was seen.
#[derive(Debug)]
pub struct Node {
    pub number: u64,
    pub read: Read,
}

impl Step {
    pub fn read(node: Node) -> Step {
        Step::Read(Arc::new(node))
    }
}

/// The node that read, and what it saw.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    node: u64,
    value: Option<Box<[u8]>>,
}

/// A key as it is looked for.
#[derive(Hash)]
struct Asked<'a> {
    node: u64,
    value: &'a Seen<'a>,
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.node == key.node && self.value.bytes() == key.value.as_deref()
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

    pub fn get(&self, node: u64, value: &Seen<'_>) -> Option<Step> {
        self.steps.get(&Asked { node, value })
    }

    pub fn put(&self, node: u64, value: Seen<'_>, step: Step) {
        self.steps.insert(Key { node, value: value.bytes().map(Into::into) }, step);
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
            Step::Read(node) => size_of::<Node>().saturating_add(node.read.size()),
            Step::Answer(answer) => answer.bytes().saturating_add(PEER_BYTES),
        };
        self.of(key.value.as_ref().map_or(0, |value| value.len()).saturating_add(step))
    }
}
