//! Puts an instance that has decided back to the state in which it began. See `docs/design/rewinding.md`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::call::State;
use crate::call::instances::Live;
use crate::call::pagemap::{FreshPage, Memory, PagePlace, Pagemap};
use crate::module::rewindable;

/// Pages that are kept of a module at most: 8 MiB. One whose decisions write more has fresh instances.
const MOST_PAGES: usize = 2048;

/// What it takes to rewind the instances of a module.
pub struct Rewinder {
    pagemap: &'static Pagemap,
    /// Pages that were ever written, as they are in a fresh instance; in order.
    fresh: ArcSwap<Vec<FreshPage>>,
    wanted: Mutex<BTreeSet<PagePlace>>,
    any_wanted: AtomicBool,
    gave_up: AtomicBool,
}

/// What an instance tells of its memories when it is made.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(rewindable::HOST)?;
    let of = |store: &StoreContextMut<'_, State>, (start, pages): (WasmList<u8>, u32)| {
        Memory::new(start.as_le_slice(store), pages)
    };
    host.func_wrap(rewindable::MEMORY, move |mut store: StoreContextMut<'_, State>, told| {
        let memory = of(&store, told);
        store.data_mut().memories.push(memory);
        Ok(())
    })?;
    host.func_wrap(rewindable::ANSWERS, move |mut store: StoreContextMut<'_, State>, told| {
        let memory = of(&store, told);
        store.data_mut().answers_memory = Some(memory);
        Ok(())
    })
}

impl Rewinder {
    /// Of a component that was made rewindable. None where the kernel cannot tell what was written.
    pub fn new() -> Option<Rewinder> {
        Some(Rewinder {
            pagemap: Pagemap::of_process()?,
            fresh: ArcSwap::default(),
            wanted: Mutex::default(),
            any_wanted: AtomicBool::new(false),
            gave_up: AtomicBool::new(false),
        })
    }

    /// Whether it is worth the while to keep an instance.
    pub fn is_of_use(&self) -> bool {
        !self.gave_up.load(Ordering::Relaxed)
    }

    /// To be called with an instance that has run no code of the module: it shows what pages are to be again.
    pub fn meet(&self, store: &wasmtime::Store<State>) {
        if self.any_wanted.load(Ordering::Relaxed) {
            self.learn(&store.data().memories);
        }
    }

    fn learn(&self, memories: &[Memory]) {
        let mut wanted = self.wanted.lock();
        let mut fresh = self.fresh.load().to_vec();
        for place in std::mem::take(&mut *wanted) {
            let Err(at) = fresh.binary_search_by_key(&place, |page| page.place) else { continue };
            // SAFETY: `meet` has the store, and it runs nothing.
            #[expect(unsafe_code, reason = "see `pagemap`")]
            let content = memories.get(place.memory).and_then(|memory| unsafe { memory.read(place.page) });
            let Some(content) = content else { continue };
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

    /// Puts the memories of an instance back; its globals are when it decides. If they can't be, the instance is not to be
    /// used again.
    pub(super) fn rewind(&self, live: &mut Live) -> bool {
        if let Some(writable) = live.fence.writable() {
            put_back(&live.store.data().memories, writable);
            return true;
        }
        let is_due = live.fence.is_due();
        let (fresh, mut written, mut unknown) = (self.fresh.load(), Vec::new(), Vec::new());
        // Both are in order.
        let mut known = fresh.iter().peekable();
        let memories = &live.store.data().memories;
        for (number, memory) in memories.iter().enumerate() {
            let scanned = self.pagemap.written(*memory, |page| {
                let place = PagePlace { memory: number, page };
                while known.next_if(|known| known.place < place).is_some() {}
                match known.next_if(|known| known.place == place) {
                    Some(known) => {
                        put_back(memories, std::slice::from_ref(known));
                        if is_due {
                            written.push(known.clone());
                        }
                    }
                    None if unknown.len() <= MOST_PAGES => unknown.push(place),
                    None => {}
                }
            });
            if scanned.is_err() {
                return false;
            }
        }
        if !unknown.is_empty() {
            self.wanted.lock().extend(unknown);
            self.any_wanted.store(true, Ordering::Relaxed);
            return false;
        }
        if is_due {
            live.fence.raise(&mut live.store, written);
        }
        true
    }
}

/// Puts pages back in the memories of an instance that runs nothing.
fn put_back(memories: &[Memory], pages: &[FreshPage]) {
    for page in pages {
        let Some(memory) = memories.get(page.place.memory) else { continue };
        // SAFETY: `rewind` has the instance for itself.
        #[expect(unsafe_code, reason = "see `pagemap`")]
        unsafe {
            memory.write(page.place.page, page.content.as_deref());
        }
    }
}
