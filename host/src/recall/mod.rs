//! Did the module answer the same before? A decision that depended on nothing but the request and the module's
//! configuration is a function of what the module read: the next request in which it would read the same gets the same
//! answer, and the module is not called.
//!
//! What is remembered forms a tree: a node is the next read of a module, an edge the value that it saw, a leaf the checked
//! answer. Reads are deterministic, so walking the tree asks a request exactly what the module would have asked. It is
//! kept flat, in one table whose keys are a node and a value, since a table can be bounded and swept as a whole.
//! `docs/design/decision-cache.md` says why that is sound.

mod pace;
mod seen;
mod table;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answered::{Answer, Routes};
use crate::call::{Decided, Read, Source};
use crate::config::Quota;
use crate::door::RequestHead;
use crate::recall::pace::Pace;
use crate::recall::seen::{Seen, is_constant, seen};
use crate::recall::table::{Node, Step, Table};

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

/// Longest value that is remembered, in bytes. Hashing one costs each request that has it.
const LONGEST_VALUE: usize = 4096;

/// Numbers nodes; the first node of a module is the module's own number, from the same counter.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that no node and no module had before.
pub fn unique_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
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

    /// What the module of this number answered when it read what it would read now.
    pub fn find(&self, module: u64, head: &RequestHead) -> Found {
        if self.pace.rests() {
            return Found::NotLooked;
        }
        let Some(table) = self.table.get() else { return Found::Unknown };
        let (mut node, mut value) = (module, Some(Seen::Nothing));
        while let Some(seen_now) = value.filter(|value| value.len() <= LONGEST_VALUE) {
            match table.get(node, &seen_now) {
                None => return Found::Unknown,
                Some(Step::Answer(answer)) => return Found::Answer(answer),
                Some(Step::Read(next)) => {
                    node = next.number;
                    value = seen(&next.read, head);
                }
            }
        }
        Found::Unknown
    }

    /// Nothing was known, and so far `hits` answers were: sometimes that means not to look for a while.
    pub fn missed(&self, hits: u64) {
        self.pace.missed(hits);
    }

    /// Remembers what a fresh instance of a module answered to the first attempt of a request.
    pub fn remember(&self, module: u64, head: &RequestHead, decided: &Decided, answer: &Answer) -> Result<(), Unfit> {
        if !decided.lines.is_empty() || decided.log_cut {
            return Err(Unfit::Log);
        }
        if !decided.reads.is_complete() {
            return Err(Unfit::Size);
        }
        let steps = steps(decided.reads.list(), head)?;
        if self.pace.rests_now() {
            return Ok(());
        }
        let table = self.table.get_or_init(|| Table::new(self.entries, self.bytes));
        let (mut node, mut value) = (module, Seen::Nothing);
        for (read, saw) in steps {
            let next = match table.get(node, &value) {
                Some(Step::Read(next)) if next.read == *read => next.number,
                // What stands there is older than this answer, or was lost.
                Some(_) | None => {
                    let next = Node { number: unique_number(), read: read.clone() };
                    let number = next.number;
                    table.put(node, value, Step::read(next));
                    number
                }
            };
            (node, value) = (next, saw);
        }
        table.put(node, value, Step::Answer(answer.clone()));
        Ok(())
    }

    /// Steps that are remembered, and the bytes that are counted for them.
    pub fn size(&self) -> (usize, u64) {
        self.table.get().map_or((0, 0), Table::size)
    }
}

/// What was read of the request, and what was seen. An error: what was read is not the request's alone.
fn steps<'a>(reads: &'a [Read], head: &'a RequestHead) -> Result<Vec<(&'a Read, Seen<'a>)>, Unfit> {
    let mut steps = Vec::with_capacity(reads.len());
    for read in reads.iter().filter(|read| !is_constant(read)) {
        let saw = seen(read, head).ok_or_else(|| Unfit::Read(read.source()))?;
        if saw.len() > LONGEST_VALUE {
            return Err(Unfit::Size);
        }
        steps.push((read, saw));
    }
    Ok(steps)
}
