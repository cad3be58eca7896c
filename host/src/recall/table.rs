//! The table of steps: bounded in entries and bytes, the least useful go first. A value that comes once does not push out
//! one that comes often.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher, RandomState};
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use crate::answered::Answer;
use crate::call::Read;
use crate::check::RouteSpec;
use crate::peer::Route;
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

/// Keys are hashed with a secret: a client can't make them collide.
type Bounded<K, V> = Cache<K, V, Weight, RandomState, DefaultLifecycle<K, V>>;

pub struct Table {
    steps: Bounded<Key, Step>,
    /// Most answers of a module lead to a few routes: equal ones are kept once, and so are their prepared peers.
    routes: Bounded<Shared, Arc<Route>>,
}

/// Of the bytes, the part that is for routes which several answers share.
const ROUTES: u64 = 8;

/// Parts of the table that threads use at the same time.
const SHARDS: usize = 8;

/// What an entry takes beside its key and its value, about: its place in the table, allocations, a prepared peer.
const ENTRY_BYTES: usize = 128;
const PEER_BYTES: usize = 1024;

impl Table {
    pub fn new(entries: usize, bytes: usize) -> Table {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Table { steps: bounded(entries, bytes - bytes / ROUTES), routes: bounded(entries, bytes / ROUTES) }
    }

    pub fn get(&self, node: u64, value: &Seen<'_>) -> Option<Step> {
        self.steps.get(&Asked { node, value })
    }

    pub fn put(&self, node: u64, value: Seen<'_>, step: Step) {
        self.steps.insert(Key { node, value: value.bytes().map(Into::into) }, step);
    }

    /// The same answer, sharing what an equal one before it has.
    pub fn shared(&self, answer: &Answer) -> Answer {
        let Answer::Connect(route) = answer else { return answer.clone() };
        let known = self.routes.get(route.spec());
        Answer::Connect(known.unwrap_or_else(|| {
            self.routes.insert(Shared(route.clone()), route.clone());
            route.clone()
        }))
    }

    pub fn size(&self) -> (usize, u64) {
        (self.steps.len(), self.steps.weight().saturating_add(self.routes.weight()))
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} steps)", self.steps.len())
    }
}

/// Each entry weighs so much at least that a table which is full in bytes has no more entries than it may have.
fn bounded<K: Eq + Hash, V: Clone>(entries: usize, bytes: u64) -> Bounded<K, V>
where
    Weight: Weighter<K, V>,
{
    let least = bytes / u64::try_from(entries).unwrap_or(u64::MAX).max(1);
    let (weight, hash, lifecycle) = (Weight { least: least.max(1) }, RandomState::new(), DefaultLifecycle::default());
    match OptionsBuilder::new().estimated_items_capacity(entries).weight_capacity(bytes).shards(SHARDS).build() {
        Ok(options) => Cache::with_options(options, weight, hash, lifecycle),
        Err(_) => Cache::with(entries, bytes, weight, hash, lifecycle),
    }
}

#[derive(Clone)]
pub struct Weight {
    least: u64,
}

impl Weight {
    fn of(&self, bytes: usize) -> u64 {
        u64::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u64::MAX).max(self.least)
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

impl Weighter<Shared, Arc<Route>> for Weight {
    fn weight(&self, _: &Shared, route: &Arc<Route>) -> u64 {
        self.of(route.bytes().saturating_add(PEER_BYTES))
    }
}

/// A route by what it says.
struct Shared(Arc<Route>);

impl Borrow<RouteSpec> for Shared {
    fn borrow(&self) -> &RouteSpec {
        self.0.spec()
    }
}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.spec().hash(state);
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        self.0.spec() == other.0.spec()
    }
}

impl Eq for Shared {}
