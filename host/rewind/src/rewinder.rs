//! Rewinds instances: knows the pages that instances of one component write, as they are in a fresh instance.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::memory::{FreshPage, HasMemories, PagePlace};
use crate::pagemap::Pagemap;
use crate::store::RewindableStore;

/// Most pages that are kept for a module: 8 MiB. A module whose decisions write more gets fresh instances.
const MOST_PAGES: usize = 2048;

/// Rewinds the instances of one component, as one configuration made them.
pub struct Rewinder {
    pagemap: &'static Pagemap,
    /// Pages that any instance wrote, as they are in a fresh one; in order.
    fresh: ArcSwap<Vec<FreshPage>>,
    wanted: Mutex<BTreeSet<PagePlace>>,
    any_wanted: AtomicBool,
    gave_up: AtomicBool,
}

impl Rewinder {
    /// For an instrumented component. None if the kernel does not report written pages.
    pub fn new() -> Option<Rewinder> {
        Some(Rewinder {
            pagemap: Pagemap::of_process()?,
            fresh: ArcSwap::default(),
            wanted: Mutex::default(),
            any_wanted: AtomicBool::new(false),
            gave_up: AtomicBool::new(false),
        })
    }

    /// Whether instances are worth keeping: not if the component's decisions write too many pages.
    pub fn is_of_use(&self) -> bool {
        !self.gave_up.load(Ordering::Relaxed)
    }

    /// Number of pages that decisions are known to write.
    pub fn pages(&self) -> usize {
        self.fresh.load().len()
    }

    /// Must be called with an instance that has run no code of the component except its start: its pages show the
    /// original contents of those that other instances wrote.
    pub fn meet<T: HasMemories + 'static>(&self, store: &RewindableStore<T>) {
        if self.any_wanted.load(Ordering::Relaxed) {
            self.learn(store);
        }
    }

    fn learn<T: HasMemories + 'static>(&self, store: &RewindableStore<T>) {
        let mut wanted = self.wanted.lock();
        let mut fresh = self.fresh.load().to_vec();
        for place in std::mem::take(&mut *wanted) {
            let Err(at) = fresh.binary_search_by_key(&place, |page| page.place) else { continue };
            let Some(content) = store.page(place) else { continue };
            let content = content.iter().any(|byte| *byte != 0).then(|| Arc::new(content));
            fresh.insert(at, FreshPage { place, content });
        }
        self.any_wanted.store(false, Ordering::Relaxed);
        if fresh.len() > MOST_PAGES {
            self.gave_up.store(true, Ordering::Relaxed);
            fresh.clear();
        }
        self.fresh.store(Arc::new(fresh));
    }

    /// Puts the memories of an instance back; its globals are restored when it decides. False: they can't be put back,
    /// and the instance must not decide again.
    pub fn rewind<T: HasMemories + 'static>(&self, store: &mut RewindableStore<T>) -> bool {
        if store.put_back_writable() {
            return true;
        }
        let is_due = store.is_protection_due();
        let (fresh, mut written, mut unknown) = (self.fresh.load(), Vec::new(), Vec::new());
        // The known and the written pages are both in order.
        let mut known = fresh.iter().peekable();
        let is_scanned = store.written(self.pagemap, |place| {
            while known.next_if(|known| known.place < place).is_some() {}
            match known.next_if(|known| known.place == place) {
                Some(known) => {
                    store.put_back(std::slice::from_ref(known));
                    if is_due {
                        written.push(known.clone());
                    }
                }
                None if unknown.len() <= MOST_PAGES => unknown.push(place),
                None => {}
            }
        });
        if !is_scanned {
            return false;
        }
        if !unknown.is_empty() {
            self.wanted.lock().extend(unknown);
            self.any_wanted.store(true, Ordering::Relaxed);
            return false;
        }
        if is_due {
            store.protect(written);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::PAGE_BYTES;
    use crate::store::tests::{Data, Decide, Setting, instance, setting, write};
    use crate::write_protect::QUIET_DECISIONS;

    /// An instance that decides again and again, as long as it can be rewound.
    struct Deciding {
        setting: Setting,
        rewinder: Rewinder,
        current: (RewindableStore<Data>, Decide),
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Origin {
        Fresh,
        Rewound,
    }

    impl Deciding {
        fn new() -> Deciding {
            let setting = setting();
            let (store, _, decide) = instance(&setting);
            let rewinder = Rewinder::new().expect("the kernel reports written pages");
            Deciding { setting, rewinder, current: (store, decide) }
        }

        /// Makes a decision that writes to this page and to page 8. Returns the origin of the instance of the next
        /// decision.
        fn decide(&mut self, page: usize) -> Origin {
            let (store, decide) = &mut self.current;
            for page in [page, 8] {
                let before = write(store, *decide, u32::try_from(page * PAGE_BYTES).expect("an address"));
                assert_eq!(before.expect("it is written"), 0, "everything is restored");
            }
            if self.rewinder.rewind(store) {
                return Origin::Rewound;
            }
            let (store, _, decide) = instance(&self.setting);
            self.rewinder.meet(&store);
            self.current = (store, decide);
            Origin::Fresh
        }
    }

    #[test]
    fn pages_are_protected_when_nothing_new_is_written_and_writable_when_something_is() {
        skip_without_rewinding!();
        let mut deciding = Deciding::new();
        let others = [2, 3, 4, 5];
        // An instance shows which pages are written, the next one their original contents.
        for page in others.iter().chain(&others).chain(&[1, 1]) {
            deciding.decide(*page);
        }
        let protect = |deciding: &mut Deciding| {
            (0..=QUIET_DECISIONS).for_each(|_| assert_eq!(deciding.decide(1), Origin::Rewound));
        };
        protect(&mut deciding);
        assert_eq!(deciding.current.0.writable_pages(), Some(vec![1, 8]));
        // A write to a protected page is a write like any other.
        let mut expected = vec![1, 8];
        for (number, page) in others.into_iter().enumerate() {
            assert_eq!(deciding.decide(page), Origin::Rewound);
            assert_eq!(deciding.current.0.writable_pages(), None);
            expected.insert(expected.len() - 1, page);
            protect(&mut deciding);
            // Four times and no more.
            assert_eq!(deciding.current.0.writable_pages(), (number < 3).then(|| expected.clone()), "{page}");
        }
    }
}
