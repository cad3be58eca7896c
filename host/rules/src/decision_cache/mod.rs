//! Caches the checked decisions of modules by the values that the modules read. A decision that depended on nothing but
//! the request and the module's configuration is a function of its reads: the next request in which the reads give the
//! same values gets the same decision, and the module is not called.
//!
//! The cache is a tree: a node lists the reads that a module makes next, an edge is the values that they gave, a leaf
//! is the checked decision. Reads are deterministic, so a walk of the tree makes exactly the reads that the module
//! would have made. The tree is stored in one table, by node and values, since a table can be bounded and swept as a
//! whole. `docs/design/decision-cache.md` explains why that is sound.

mod backoff;
mod cache_key;
mod node;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub use node::Root;

use crate::checked::{CheckedDecision, RouteCache};
use crate::config::Quota;
use crate::decision_cache::backoff::Backoff;
use crate::decision_cache::cache_key::{CacheKey, is_constant};
use crate::decision_cache::node::Node;
use crate::decision_cache::table::{Branch, Table};
use crate::inputs::Inputs;
use crate::reads::{Read, Reads, Source};

/// The cached decisions of one tenant's modules, valid while its configuration and its credentials stay the same.
#[derive(Debug)]
pub struct DecisionCache {
    entries: usize,
    bytes: u64,
    /// Allocated with the first decision: most tenants of a large proxy are idle.
    table: OnceLock<Table>,
    backoff: Backoff,
}

/// The result of a lookup, before a module is called.
#[derive(Debug)]
pub enum Lookup {
    Hit(CheckedDecision),
    Miss,
    /// Skipped: lookups back off while the hit rate is low.
    Skipped,
}

/// Why a decision is not cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncacheable {
    /// The module's instances decide more than once (`instance_calls`), so they may keep state between decisions.
    Instance,
    /// The module read something that is not part of the request.
    Read(Source),
    /// The module logged a line; on a hit it would not.
    Log,
    /// The module made more reads than are recorded, or read too large a value.
    Size,
}

impl Uncacheable {
    /// The value of the metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Uncacheable::Instance => "instance-calls",
            Uncacheable::Read(source) => source.name(),
            Uncacheable::Log => "log",
            Uncacheable::Size => "size",
        }
    }
}

/// The facts that decide whether a decision can be cached.
#[derive(Debug, Clone, Copy)]
pub struct CacheFacts<'a> {
    pub reads: &'a Reads,
    pub has_logged: bool,
}

impl DecisionCache {
    pub fn new(quota: &Quota) -> DecisionCache {
        let bytes = u64::try_from(quota.cache_bytes).unwrap_or(u64::MAX);
        let bytes = bytes - RouteCache::share(quota);
        DecisionCache { entries: quota.cache_entries, bytes, table: OnceLock::new(), backoff: Backoff::default() }
    }

    /// Whether caching is enabled.
    pub fn is_on(&self) -> bool {
        self.entries > 0 && self.bytes > 0
    }

    /// Looks up the decision of the module with this tree.
    pub fn lookup(&self, root: &Root, inputs: &Inputs) -> Lookup {
        if self.backoff.skips() {
            return Lookup::Skipped;
        }
        self.walk(root, inputs).map_or(Lookup::Miss, Lookup::Hit)
    }

    fn walk(&self, root: &Root, inputs: &Inputs) -> Option<CheckedDecision> {
        let (table, first) = (self.table.get()?, root.node());
        let (mut node, mut next) = (first.as_deref()?, None);
        loop {
            let key = CacheKey::of(&node.reads, inputs).ok()?;
            match table.get(node, &key)? {
                Branch::Answer(answer) => return Some(answer),
                Branch::Read(read) => node = next.insert(read),
            }
        }
    }

    /// Notes a miss; `hits` counts the hits so far. Where hits are rare, lookups back off.
    pub fn note_miss(&self, hits: u64) {
        self.backoff.note_miss(hits);
    }

    /// Caches the decision that a fresh instance made for the first attempt of a request.
    ///
    /// # Errors
    /// Why the decision cannot be cached.
    pub fn insert(
        &self,
        root: &Root,
        inputs: &Inputs,
        observed: CacheFacts<'_>,
        answer: &CheckedDecision,
    ) -> Result<(), Uncacheable> {
        if observed.has_logged {
            return Err(Uncacheable::Log);
        }
        if !observed.reads.is_complete() {
            return Err(Uncacheable::Size);
        }
        let reads: Vec<&Read> = observed.reads.list().iter().filter(|read| !is_constant(read)).collect();
        // Before the check of the backoff, so that an uncacheable decision is reported even while nothing is inserted.
        CacheKey::of(reads.iter().copied(), inputs)?;
        if self.backoff.is_on() {
            return Ok(());
        }
        let table = self.table.get_or_init(|| Table::new(self.entries, self.bytes));
        let mut node = match &*root.node() {
            Some(node) if node.leads(&reads) => node.clone(),
            there => root.set(Node::new(there.as_deref(), &reads)),
        };
        let mut rest = reads.as_slice();
        loop {
            let (these, after) = rest.split_at_checked(node.reads.len()).unwrap_or((rest, &[]));
            let key = CacheKey::of(these.iter().copied(), inputs)?;
            if after.is_empty() {
                if let CheckedDecision::Connect(route) = answer {
                    route.note_cached();
                }
                table.put(&node, &key, Branch::Answer(answer.clone()));
                return Ok(());
            }
            let there = match table.get(&node, &key) {
                Some(Branch::Read(next)) => Some(next),
                // An entry that leads to a decision is older than this one; none was evicted.
                Some(Branch::Answer(_)) | None => None,
            };
            node = match there {
                Some(next) if next.leads(after) => next,
                there => {
                    let next = Arc::new(Node::new(there.as_deref(), after));
                    table.put(&node, &key, Branch::Read(next.clone()));
                    next
                }
            };
            rest = after;
        }
    }

    /// Entries, and the bytes that are counted for them.
    pub fn size(&self) -> (usize, u64) {
        self.table.get().map_or((0, 0), Table::size)
    }
}
