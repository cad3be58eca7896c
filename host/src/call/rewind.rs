//! Puts an instance that has decided back to the state in which it began. See `docs/design/rewinding.md`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentExportIndex, Instance, Linker, TypedFunc, WasmList};

use crate::call::State;
use crate::call::instances::Live;
use crate::call::pagemap::{Memory, Page, Pagemap};
use crate::module::rewindable;

/// Pages that are kept of a module at most: 8 MiB. One whose decisions write more has fresh instances.
const MOST_PAGES: usize = 2048;

/// What it takes to rewind the instances of a module.
pub struct Rewinder {
    /// Sets the globals back.
    function: ComponentExportIndex,
    pagemap: &'static Pagemap,
    /// Pages that were ever written, as they are in a fresh instance; in order.
    fresh: ArcSwap<Vec<FreshPage>>,
    wanted: Mutex<BTreeSet<Place>>,
    any_wanted: AtomicBool,
    gave_up: AtomicBool,
}

/// A page: the number of its memory, and its own in that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    memory: usize,
    page: usize,
}

#[derive(Clone)]
struct FreshPage {
    place: Place,
    /// None: all zeros.
    content: Option<Arc<Page>>,
}

/// The function of an instance that sets its globals back.
pub type Globals = TypedFunc<(), ()>;

/// What an instance tells of its memories when it is made.
pub fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(rewindable::HOST)?.func_wrap(
        rewindable::MEMORY,
        |mut store: StoreContextMut<'_, State>, (start, pages): (WasmList<u8>, u32)| {
            let memory = Memory::new(start.as_le_slice(&store), pages);
            store.data_mut().memories.push(memory);
            Ok(())
        },
    )
}

impl Rewinder {
    /// Of a component that was made rewindable, by the export that sets its globals back. None where the kernel cannot
    /// tell what was written.
    pub fn new(function: ComponentExportIndex) -> Option<Rewinder> {
        Some(Rewinder {
            function,
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
    pub fn meet(&self, store: &mut wasmtime::Store<State>, instance: &Instance) -> wasmtime::Result<Globals> {
        if self.any_wanted.load(Ordering::Relaxed) {
            self.learn(&store.data().memories);
        }
        instance.get_typed_func(store, self.function)
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

    /// Puts an instance back. If it can't be, the instance is not to be used again.
    pub(super) fn rewind(&self, live: &mut Live) -> bool {
        let Some(globals) = &live.globals else { return false };
        if globals.call(&mut live.store, ()).is_err() {
            return false;
        }
        let (fresh, mut unknown) = (self.fresh.load(), Vec::new());
        // Both are in order.
        let mut known = fresh.iter().peekable();
        for (number, memory) in live.store.data_mut().memories.iter().enumerate() {
            let scanned = self.pagemap.written(*memory, |page| {
                let place = Place { memory: number, page };
                while known.next_if(|known| known.place < place).is_some() {}
                match known.next_if(|known| known.place == place) {
                    // SAFETY: `live` is ours alone, and runs nothing.
                    #[expect(unsafe_code, reason = "see `pagemap`")]
                    Some(known) => unsafe { memory.write(page, known.content.as_deref()) },
                    None if unknown.len() <= MOST_PAGES => unknown.push(place),
                    None => {}
                }
            });
            if scanned.is_err() {
                return false;
            }
        }
        if unknown.is_empty() {
            return true;
        }
        self.wanted.lock().extend(unknown);
        self.any_wanted.store(true, Ordering::Relaxed);
        false
    }
}
