//! A place in the tree of a module's reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::reads::Read;

/// What a module reads next, after everything that led here was seen: these all, whatever the first of them saw.
#[derive(Debug)]
pub struct Node {
    /// No other node has it.
    pub number: u64,
    pub reads: Box<[Read]>,
}

/// Where the tree of a module begins. No two modules have the same one, nor one module with two configurations.
#[derive(Debug, Default)]
pub struct Root(ArcSwapOption<Node>);

/// Numbers nodes.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Most reads of one node: those of a root are counted nowhere.
const MOST_READS: usize = 16;

impl Node {
    /// In the place of one that may stand there and does not lead on: with the reads that it and these have in common.
    /// If they have none, what stands there is older than these, and of no use any more.
    pub fn new(there: Option<&Node>, reads: &[&Read]) -> Node {
        let length = match there.map_or(0, |node| node.common(reads)) {
            0 => reads.len(),
            common => common,
        };
        let reads = reads.iter().take(length.min(MOST_READS)).map(|read| (*read).clone()).collect();
        Node { number: NEXT.fetch_add(1, Ordering::Relaxed), reads }
    }

    /// Whether these begin with its own.
    pub fn leads(&self, reads: &[&Read]) -> bool {
        self.common(reads) == self.reads.len()
    }

    fn common(&self, reads: &[&Read]) -> usize {
        self.reads.iter().zip(reads).take_while(|(own, read)| own == *read).count()
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let reads = self.reads.iter().map(|read| size_of::<Read>().saturating_add(read.size()));
        reads.fold(size_of::<Node>(), usize::saturating_add)
    }
}

impl Root {
    pub fn node(&self) -> Guard<Option<Arc<Node>>> {
        self.0.load()
    }

    pub fn set(&self, node: Node) -> Arc<Node> {
        let node = Arc::new(node);
        self.0.store(Some(node.clone()));
        node
    }
}
