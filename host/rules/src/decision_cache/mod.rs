//! Did the module answer the same before? A decision that depended on nothing but the request and the module's
//! configuration is a function of what the module read: the next request in which it would read the same gets the same
//! answer, and the module is not called.
//!
//! What is remembered forms a tree: a node is what a module reads next, an edge what it saw there, a leaf the checked
//! answer. Reads are deterministic, so walking the tree asks a request exactly what the module would have asked. It is
//! kept flat, in one table whose keys are a node and what was seen, since a table can be bounded and swept as a whole.
//! `docs/design/decision-cache.md` says why that is sound.

mod node;
mod pace;
mod saw;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub use node::Root;

use crate::checked::{Answer, Routes};
use crate::config::Quota;
use crate::decision_cache::node::Node;
use crate::decision_cache::pace::Pace;
use crate::decision_cache::saw::{Saw, is_constant};
use crate::decision_cache::table::{Step, Table};
use crate::reads::{Read, Reads, Source};
use crate::request::RequestHead;

/// What one tenant's modules answered, as long as its configuration and its credentials stay the same.
#[derive(Debug)]
pub struct Recall {
    entries: usize,
    bytes: u64,
    /// Made with the first answer: most tenants of a large proxy are idle.
    table: OnceLock<Table>,
    pace: Pace,
}

/// What is known before a module is asked.
#[derive(Debug)]
pub enum Found {
    Answer(Answer),
    /// Nothing, or nothing any more.
    Unknown,
    /// It was not looked, since it did not pay of late.
    NotLooked,
}

/// Why an answer is not remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The module's instances decide more than once (`instance_calls`): they may have a memory of their own.
    Instance,
    /// The module read what is not the request's.
    Read(Source),
    /// It logged something, which the next request would not.
    Log,
    /// More reads than are noted, or too large a value.
    Size,
}

impl Unfit {
    /// As the metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Unfit::Instance => "instance-calls",
            Unfit::Read(source) => source.name(),
            Unfit::Log => "log",
            Unfit::Size => "size",
        }
    }
}

/// What the host observed of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    pub reads: &'a Reads,
    pub has_logged: bool,
}

impl Recall {
    pub fn new(quota: &Quota) -> Recall {
        let bytes = u64::try_from(quota.cache_bytes).unwrap_or(u64::MAX);
        let bytes = bytes - Routes::share(quota);
        Recall { entries: quota.cache_entries, bytes, table: OnceLock::new(), pace: Pace::default() }
    }

    /// Whether anything is ever remembered.
    pub fn is_on(&self) -> bool {
        self.entries > 0 && self.bytes > 0
    }

    /// What the module with this tree answered when it read what it would read now.
    pub fn find(&self, root: &Root, head: &RequestHead) -> Found {
        if self.pace.rests() {
            return Found::NotLooked;
        }
        self.walk(root, head).map_or(Found::Unknown, Found::Answer)
    }

    fn walk(&self, root: &Root, head: &RequestHead) -> Option<Answer> {
        let (table, first) = (self.table.get()?, root.node());
        let (mut node, mut next) = (first.as_deref()?, None);
        loop {
            let saw = Saw::of(&node.reads, head).ok()?;
            match table.get(node, &saw)? {
                Step::Answer(answer) => return Some(answer),
                Step::Read(read) => node = next.insert(read),
            }
        }
    }

    /// Nothing was known, and so far `hits` answers were: sometimes that means not to look for a while.
    pub fn missed(&self, hits: u64) {
        self.pace.missed(hits);
    }

    /// Remembers what a fresh instance of a module answered to the first attempt of a request.
    pub fn remember(&self, root: &Root, head: &RequestHead, seen: Observed<'_>, answer: &Answer) -> Result<(), Unfit> {
        if seen.has_logged {
            return Err(Unfit::Log);
        }
        if !seen.reads.is_complete() {
            return Err(Unfit::Size);
        }
        let reads: Vec<&Read> = seen.reads.list().iter().filter(|read| !is_constant(read)).collect();
        // What is unfit is told, also while nothing is kept.
        Saw::of(reads.iter().copied(), head)?;
        if self.pace.rests_now() {
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
            let saw = Saw::of(these.iter().copied(), head)?;
            if after.is_empty() {
                if let Answer::Connect(route) = answer {
                    route.note_cached();
                }
                table.put(&node, &saw, Step::Answer(answer.clone()));
                return Ok(());
            }
            let there = match table.get(&node, &saw) {
                Some(Step::Read(next)) => Some(next),
                // What stands there is older than this answer, or was lost.
                Some(Step::Answer(_)) | None => None,
            };
            node = match there {
                Some(next) if next.leads(after) => next,
                there => {
                    let next = Arc::new(Node::new(there.as_deref(), after));
                    table.put(&node, &saw, Step::Read(next.clone()));
                    next
                }
            };
            rest = after;
        }
    }

    /// Steps that are remembered, and the bytes that are counted for them.
    pub fn size(&self) -> (usize, u64) {
        self.table.get().map_or((0, 0), Table::size)
    }
}
