//! A store whose instance can be rewound.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use wasmtime::component::{ComponentNamedList, Lift, Lower, Resource, TypedFunc};
use wasmtime::unix::StoreExt as _;
use wasmtime::{AsContext, AsContextMut, Engine, Store, StoreContext, StoreContextMut};

use crate::FixedMemoryEngine;
use crate::memory::{FreshPage, HasMemories, Memory, Page, PagePlace, address_of};
use crate::pagemap::Pagemap;
use crate::write_protect::{MOST_PROTECTIONS, MOST_RUNS, ProtectedMemories, Protection, QUIET_DECISIONS, unwritten};

/// A store of a [`FixedMemoryEngine`], for one instance of an instrumented component.
///
/// It owns the store, so that its memories exist for as long as it reads or writes them, and never gives it away. The
/// memories in its data count only if they were recorded in this very store, whatever a user of the data did with them.
pub struct RewindableStore<T: HasMemories + 'static> {
    /// Set once some pages were made read-only.
    protected: Option<Arc<ProtectedMemories>>,
    /// The pages that were left writable, as they are in a fresh instance.
    writable: Vec<FreshPage>,
    quiet_decisions: u32,
    protections: u32,
    /// The id of its `Memories`. None: nothing of it is rewound.
    id: Option<u64>,
    store: ManuallyDrop<Store<T>>,
}

impl<T: HasMemories + 'static> RewindableStore<T> {
    /// `set_up` sets limits and similar properties of the store.
    pub fn new(engine: &FixedMemoryEngine, data: T, set_up: impl FnOnce(&mut Store<T>)) -> RewindableStore<T> {
        let mut store = Store::new(engine, data);
        set_up(&mut store);
        // If `set_up` replaced the new store with another, that one may be of another engine, or have an instance
        // already: nothing of it is rewound.
        let is_ours = Engine::same(store.engine(), engine);
        let id = if is_ours { store.data_mut().memories_mut().bind() } else { None };
        RewindableStore {
            protected: None,
            writable: Vec::new(),
            quiet_decisions: 0,
            protections: 0,
            id,
            store: ManuallyDrop::new(store),
        }
    }

    pub fn data(&self) -> &T {
        self.store.data()
    }

    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// As [`Store::set_epoch_deadline`].
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.store.set_epoch_deadline(ticks);
    }

    /// Calls a function of the instance. Pages may be read-only meanwhile: its parameters pass in registers, so that
    /// nobody writes memory before the guest runs.
    ///
    /// # Errors
    /// If the call traps.
    pub fn call<P, R>(&mut self, function: TypedFunc<P, R>, parameters: P) -> wasmtime::Result<R>
    where
        P: InRegisters + ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        function.call(self.store.as_context_mut(), parameters)
    }

    /// The bytes of the memory that contains the instance's answers. None: it reported none.
    pub fn answers(&self) -> Option<&[u8]> {
        self.memories()?;
        let answers = self.store.data().memories().answers()?;
        // SAFETY: The memory is one of this store's (`memories`). While the result is used, the store is borrowed: it
        // lives, and runs nothing.
        #[expect(unsafe_code, reason = "see `memory`")]
        Some(unsafe { answers.contents() })
    }

    /// The memories of its instance, if the data holds those that were recorded in this store.
    fn memories(&self) -> Option<&[Memory]> {
        let data = self.store.data();
        data.memories().of_store(address_of(data)).filter(|_| Some(data.memories().id()) == self.id)
    }

    /// A copy of a page.
    pub(crate) fn page(&self, place: PagePlace) -> Option<Page> {
        let memory = self.memories()?.get(place.memory)?;
        // SAFETY: The memory is one of this store's; the store lives and, while it is borrowed, runs nothing.
        #[expect(unsafe_code, reason = "see `memory`")]
        unsafe {
            memory.read(place.page)
        }
    }

    /// Calls `found` for every written page, in order. False: the written pages are not known.
    pub(crate) fn written(&self, pagemap: &Pagemap, mut found: impl FnMut(PagePlace)) -> bool {
        // Pages that may be read-only can't be put back.
        let is_off = self.protection() == Protection::Off;
        let Some(memories) = self.memories().filter(|_| is_off) else { return false };
        memories
            .iter()
            .enumerate()
            .all(|(number, memory)| pagemap.written(*memory, |page| found(PagePlace { memory: number, page })).is_ok())
    }

    /// Restores pages that are not read-only.
    pub(crate) fn put_back(&self, pages: &[FreshPage]) {
        let Some(memories) = self.memories() else { return };
        for page in pages {
            let Some(memory) = memories.get(page.place.memory) else { continue };
            // SAFETY: The memory is one of this store's. The store lives, and the `rewinder`, which alone calls this,
            // has a unique borrow of it: nobody reads or writes the memory. Pages are read-only only while all that are
            // put back are those which were left writable (`put_back_writable`).
            #[expect(unsafe_code, reason = "see `memory`")]
            unsafe {
                memory.write(page.place.page, page.content.as_deref());
            }
        }
    }

    /// While pages are protected, the instance can only have written those that were left writable: restores them.
    /// False: no page is protected.
    pub(crate) fn put_back_writable(&mut self) -> bool {
        let reported = self.memories().map(<[Memory]>::len);
        let is_on = self.protection() == Protection::On
            && self.protected.as_ref().is_some_and(|protected| protected.covers(reported));
        if is_on {
            self.put_back(&self.writable);
        }
        is_on
    }

    /// The pages that were left writable, by their numbers, while others are read-only.
    #[cfg(test)]
    pub fn writable_pages(&self) -> Option<Vec<usize>> {
        let is_on = self.protection() == Protection::On;
        is_on.then(|| self.writable.iter().map(|page| page.place.page).collect())
    }

    /// Counts a decision whose written pages were all known. Returns whether protection is now worth its system calls.
    pub(crate) fn is_protection_due(&mut self) -> bool {
        self.quiet_decisions = self.quiet_decisions.saturating_add(1);
        self.quiet_decisions > QUIET_DECISIONS && self.protections < MOST_PROTECTIONS
    }

    /// Makes all pages read-only but the `written` ones, which are in order.
    pub(crate) fn protect(&mut self, written: Vec<FreshPage>) {
        self.quiet_decisions = 0;
        self.protections = self.protections.saturating_add(1);
        let Some(memories) = self.memories() else { return };
        let runs = unwritten(memories, &written);
        if runs.len() > MOST_RUNS {
            self.protections = MOST_PROTECTIONS;
            return;
        }
        let protected = match &self.protected {
            Some(protected) => protected.clone(),
            None => {
                let protected = Arc::new(ProtectedMemories::new(memories));
                self.set_signal_handler(protected.clone());
                self.protected.insert(protected).clone()
            }
        };
        self.writable = written;
        // SAFETY: The memories are this store's; it lives, is borrowed, so that it runs nothing, and has the handler.
        #[expect(unsafe_code, reason = "see `write_protect`")]
        let done = unsafe { protected.protect(&runs) };
        if !done {
            // There is no room for more mappings.
            self.protections = MOST_PROTECTIONS;
        }
    }

    fn protection(&self) -> Protection {
        self.protected.as_ref().map_or(Protection::Off, |protected| protected.protection())
    }

    /// Makes all pages writable, if any are not. False: the kernel refused.
    fn unprotect(&self) -> bool {
        // SAFETY: The store lives.
        #[expect(unsafe_code, reason = "see `write_protect`")]
        let unprotect = |protected: &Arc<ProtectedMemories>| unsafe { protected.unprotect() };
        self.protection() == Protection::Off || self.protected.as_ref().is_none_or(unprotect)
    }

    fn set_signal_handler(&mut self, protected: Arc<ProtectedMemories>) {
        // SAFETY: `handle` is async-signal-safe. Wasmtime calls the handler while the store runs, so the store lives.
        #[expect(unsafe_code, reason = "code in a signal handler is restricted")]
        unsafe {
            self.store.set_signal_handler(move |signal, about, _| protected.handle(signal, about));
        }
    }
}

impl<T: HasMemories + 'static> AsContext for RewindableStore<T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

/// Ends the protection of pages: through the context, the host may write the guest's memory at any time, and outside of
/// a call nobody would handle the fault.
impl<T: HasMemories + 'static> AsContextMut for RewindableStore<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        // If the kernel refuses, a write ends the process with a segmentation fault; but then the instance is no longer
        // in use, since its call has failed before.
        let _ = self.unprotect();
        self.store.as_context_mut()
    }
}

/// Parameters that pass in registers, and need no memory.
pub trait InRegisters: sealed::Sealed {}

impl InRegisters for () {}
impl<R> InRegisters for (Resource<R>,) {}
impl<R> InRegisters for (Resource<R>, bool) {}
impl InRegisters for (u32, bool) {}

mod sealed {
    use wasmtime::component::Resource;

    pub trait Sealed {}

    impl Sealed for () {}
    impl<R> Sealed for (Resource<R>,) {}
    impl<R> Sealed for (Resource<R>, bool) {}
    impl Sealed for (u32, bool) {}
}

impl<T: HasMemories + 'static> Drop for RewindableStore<T> {
    /// The next instance in the same slot may write all of its memories, so protection ends before the slot is free. If
    /// the kernel does not end it, the slot is never free again.
    fn drop(&mut self) {
        if !self.unprotect() {
            tracing::error!(
                "the kernel does not make the memory of an instance writable again, so its slot is lost; raise the limit \
                 of the process's data (RLIMIT_DATA), or its memory"
            );
            return;
        }
        // SAFETY: The store is dropped only here, and not used afterwards.
        #[expect(unsafe_code, reason = "a store that is given up is not dropped")]
        unsafe {
            ManuallyDrop::drop(&mut self.store);
        }
    }
}

#[cfg(test)]
pub mod tests;
