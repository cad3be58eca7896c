//! Instances that have decided and can be rewound, of all modules of an engine. The ones that were used last are kept.

use parking_lot::Mutex;

use crate::call::instances::Live;

/// Most instances that are kept.
pub const MOST: usize = 64;

/// Most memory that they have together, in bytes; what they touched of it is less.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The ones that were used last are at the end.
#[derive(Default)]
pub struct Kept(Mutex<List>);

#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    bytes: usize,
}

struct Entry {
    module: u64,
    bytes: usize,
    live: Live,
}

impl Kept {
    /// One of this module, to be rewound.
    pub(super) fn take(&self, module: u64) -> Option<Live> {
        let mut list = self.0.lock();
        let at = list.entries.iter().rposition(|entry| entry.module == module)?;
        Some(list.remove(at).live)
    }

    pub(super) fn keep(&self, module: u64, live: Live) {
        let bytes = live.store.data().limiter.memory_granted();
        let mut let_go = Vec::new();
        let mut list = self.0.lock();
        list.entries.push(Entry { module, bytes, live });
        list.bytes = list.bytes.saturating_add(bytes);
        while list.entries.len() > MOST || list.bytes > MOST_BYTES {
            let_go.push(list.remove(0));
        }
        // Letting go of an instance takes system calls.
        drop(list);
        drop(let_go);
    }

    /// Lets go of all that a module has.
    pub(super) fn forget(&self, module: u64) {
        let mut list = self.0.lock();
        let mut let_go = Vec::new();
        while let Some(at) = list.entries.iter().rposition(|entry| entry.module == module) {
            let_go.push(list.remove(at));
        }
        drop(list);
        drop(let_go);
    }
}

impl List {
    /// Of an entry that there is.
    fn remove(&mut self, at: usize) -> Entry {
        let entry = self.entries.remove(at);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        entry
    }
}
