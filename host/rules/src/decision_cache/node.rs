//! A node in the tree of a module's reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::reads::Read;

/// The reads that a module makes next, after those that led here. It makes all of them, whatever value the first
/// gives.
#[derive(Debug)]
pub struct Node {
    /// Unique among all nodes.
    pub number: u64,
    pub reads: Box<[Read]>,
}

/// The root of a module's tree. No two modules share one, nor does one module with two configurations.
#[derive(Debug, Default)]
pub struct Root(ArcSwapOption<Node>);

/// The number of the next node.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Most reads of one node: a root's reads do not count towards the bounds of the cache.
const MOST_READS: usize = 16;

impl Node {
    /// Makes a node for these reads. `there` is the node to replace, if there is one; it does not [lead](Node::leads)
    /// on. The new node has only the reads that both begin with. If they share none, the old node is outdated, and the
    /// new one begins with `reads`.
    pub fn new(there: Option<&Node>, reads: &[&Read]) -> Node {
        let length = match there.map_or(0, |node| node.common(reads)) {
            0 => reads.len(),
            common => common,
        };
        let reads = reads.iter().take(length.min(MOST_READS)).map(|read| (*read).clone()).collect();
        Node { number: NEXT.fetch_add(1, Ordering::Relaxed), reads }
    }

    /// Whether `reads` begin with the node's own reads.
    pub fn leads(&self, reads: &[&Read]) -> bool {
        self.common(reads) == self.reads.len()
    }

    fn common(&self, reads: &[&Read]) -> usize {
        self.reads.iter().zip(reads).take_while(|(own, read)| own == *read).count()
    }

    /// The node's memory, in bytes.
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
