//! The memories of an instance, as the code that `instrument` adds reports them when the instance starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MprotectFlags, mprotect};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmList};

use crate::instrument::{ANSWERS, HOST, MEMORY};

/// Bytes of a page. If the machine's pages have another size, nothing is rewound.
pub const PAGE_BYTES: usize = 4096;

pub type Page = [u8; PAGE_BYTES];

/// A page of an instance: the number of its memory, and its own number in that memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PagePlace {
    pub memory: usize,
    pub page: usize,
}

/// A page as it is in a fresh instance.
#[derive(Debug, Clone)]
pub struct FreshPage {
    pub place: PagePlace,
    /// None: all zeros.
    pub content: Option<Arc<Page>>,
}

/// A memory as it was when its instance started: a range of bytes, all of which Wasmtime has mapped. Only this file
/// makes one, from slices that Wasmtime lifted out of the memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    start: usize,
    pages: usize,
}

/// The memories of the instance in one store. It belongs in the data of that store.
#[derive(Debug, Default)]
pub struct Memories {
    /// Given by the store that it was made for; no other has the same. 0: none yet.
    id: u64,
    recorded: Vec<Memory>,
    /// The memory that contains the answers.
    answers: Option<Memory>,
    recorded_in: RecordedIn,
}

/// The store whose instance reported its memories: the address of its data, which stays while it lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum RecordedIn {
    #[default]
    Nowhere,
    Store(usize),
    Several,
}

/// Data of a store that can hold the memories of its instance.
pub trait HasMemories {
    fn memories(&self) -> &Memories;
    fn memories_mut(&mut self) -> &mut Memories;
}

/// Defines the functions by which an instrumented component reports its memories.
///
/// # Errors
/// If the linker has them already.
pub fn add_to_linker<T: HasMemories + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST)?;
    host.func_wrap(MEMORY, |mut store: StoreContextMut<'_, T>, ends: Ends| {
        let memory = Memory::between(&store, &ends)?;
        let address = address_of(store.data());
        store.data_mut().memories_mut().record(memory, address);
        Ok(())
    })?;
    host.func_wrap(ANSWERS, |mut store: StoreContextMut<'_, T>, ends: Ends| {
        let memory = Memory::between(&store, &ends)?;
        store.data_mut().memories_mut().answers = Some(memory);
        Ok(())
    })
}

/// The first and the last byte of a memory, each as a list; both empty if it has none.
type Ends = (WasmList<u8>, WasmList<u8>);

/// The address of a store's data.
pub fn address_of<T>(data: &T) -> usize {
    std::ptr::from_ref(data).addr()
}

impl Memories {
    /// Gives it an id, for a store that is new. None: an instance has reported memories already.
    pub(crate) fn bind(&mut self) -> Option<u64> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.recorded_in != RecordedIn::Nowhere {
            return None;
        }
        self.id = NEXT.fetch_add(1, Ordering::Relaxed);
        Some(self.id)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The memories, if all of them were recorded in the store whose data is at `address`.
    pub(crate) fn of_store(&self, address: usize) -> Option<&[Memory]> {
        (self.recorded_in == RecordedIn::Store(address)).then_some(&self.recorded)
    }

    /// The memory that contains the answers, if it is one of the recorded ones.
    pub(crate) fn answers(&self) -> Option<Memory> {
        let answers = self.answers?;
        self.recorded.iter().find(|memory| memory.start == answers.start).copied()
    }

    fn record(&mut self, memory: Memory, address: usize) {
        self.recorded_in = match self.recorded_in {
            RecordedIn::Nowhere => RecordedIn::Store(address),
            RecordedIn::Store(before) if before == address => RecordedIn::Store(address),
            RecordedIn::Store(_) | RecordedIn::Several => RecordedIn::Several,
        };
        self.recorded.push(memory);
    }
}

/// The component reported something that is no memory.
#[derive(Debug, thiserror::Error)]
#[error("the reported ranges are not a complete memory")]
struct NotMemory;

impl Memory {
    /// From its first to its last byte. Both lists were lifted with the same memory, so every byte between them belongs
    /// to it.
    fn between<T>(store: &StoreContextMut<'_, T>, (first, last): &Ends) -> Result<Memory, NotMemory> {
        let (first, last) = (first.as_le_slice(store), last.as_le_slice(store));
        // The bytes are mapped memory, not an allocation of Rust's: its address alone makes a pointer to all of it.
        let (start, last) = match (first, last) {
            ([first], [last]) => (std::ptr::from_ref(first).expose_provenance(), std::ptr::from_ref(last).addr()),
            ([], []) => return Ok(Memory { start: first.as_ptr().expose_provenance(), pages: 0 }),
            _ => return Err(NotMemory),
        };
        let bytes = last.checked_sub(start).and_then(|bytes| bytes.checked_add(1)).ok_or(NotMemory)?;
        if !start.is_multiple_of(PAGE_BYTES) || !bytes.is_multiple_of(PAGE_BYTES) {
            return Err(NotMemory);
        }
        Ok(Memory { start, pages: bytes / PAGE_BYTES })
    }

    pub fn start(self) -> usize {
        self.start
    }

    /// Pages that it has.
    pub fn pages(self) -> usize {
        self.pages
    }

    /// The address at which it ends.
    pub fn end(self) -> usize {
        self.start.saturating_add(self.bytes())
    }

    fn bytes(self) -> usize {
        self.pages.saturating_mul(PAGE_BYTES)
    }

    pub fn contains(self, address: usize) -> bool {
        address.checked_sub(self.start).is_some_and(|offset| offset < self.bytes())
    }

    /// All of its bytes.
    ///
    /// # Safety
    ///
    /// The store of the memory lives for as long as the result is used, and nobody writes the memory meanwhile.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn contents<'a>(self) -> &'a [u8] {
        if self.pages == 0 {
            return &[];
        }
        let start = std::ptr::with_exposed_provenance(self.start);
        // SAFETY: A memory never shrinks or moves (`FixedMemoryEngine`), so the bytes are mapped while the store lives;
        // the caller keeps it alive and writes nothing.
        unsafe { std::slice::from_raw_parts(start, self.bytes()) }
    }

    /// A copy of a page; None if it has no such page.
    ///
    /// # Safety
    ///
    /// The store of the memory lives, and nobody writes the memory.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn read(self, number: usize) -> Option<Page> {
        // SAFETY: The page is mapped, as for `contents`, and aligned for bytes.
        self.page(number).map(|page| unsafe { page.read() })
    }

    /// Replaces a page, if the memory has it. `content` None: with zeros.
    ///
    /// # Safety
    ///
    /// The store of the memory lives, nobody reads or writes the memory, and the page is not read-only.
    #[expect(unsafe_code, reason = "Wasmtime has no safe way to a memory of a component")]
    pub unsafe fn write(self, number: usize, content: Option<&Page>) {
        let Some(page) = self.page(number) else { return };
        // SAFETY: The page is mapped and writable; any bytes may be in a memory of the guest.
        match content {
            Some(content) => unsafe { page.copy_from_nonoverlapping(content, 1) },
            None => unsafe { page.write_bytes(0, 1) },
        }
    }

    fn page(self, number: usize) -> Option<*mut Page> {
        let offset = (number < self.pages).then(|| number.saturating_mul(PAGE_BYTES))?;
        Some(std::ptr::with_exposed_provenance_mut(self.start.saturating_add(offset)))
    }

    /// Makes the pages from `first` to before `end` read-only, or writable again. Returns whether the kernel did so: it
    /// may be out of memory for it (ENOMEM: a mapping more than `vm.max_map_count`, `RLIMIT_DATA`).
    ///
    /// # Safety
    ///
    /// The store of the memory lives. Whoever makes pages read-only makes them writable before anybody but the guest,
    /// whose faults a signal handler takes, may write them.
    #[expect(unsafe_code, reason = "Wasmtime does not make memory read-only")]
    pub unsafe fn protect(self, first: usize, end: usize, access: Access) -> bool {
        let flags = match access {
            Access::ReadOnly => MprotectFlags::READ,
            Access::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
        };
        let count = end.min(self.pages).saturating_sub(first);
        if count == 0 {
            return true;
        }
        #[cfg(test)]
        if access == Access::ReadWrite && tests::refuses() {
            return false;
        }
        let start = self.start.saturating_add(first.saturating_mul(PAGE_BYTES));
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: The pages are mapped and stay so; their contents do not change.
        unsafe { mprotect(start, count.saturating_mul(PAGE_BYTES), flags) }.is_ok()
    }
}

/// Access to pages of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static REFUSES: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether a test simulates, on this thread, that the kernel refuses to make pages writable.
    pub fn refuses() -> bool {
        REFUSES.get()
    }

    pub fn refuse(refuses: bool) {
        REFUSES.set(refuses);
    }

    /// A range of this many unused pages.
    pub fn unused(pages: usize) -> Memory {
        Memory { start: PAGE_BYTES, pages }
    }

    #[test]
    fn memories_recorded_by_two_stores_belong_to_neither() {
        let mut memories = Memories::default();
        assert!(memories.of_store(1).is_none());
        memories.record(unused(1), 1);
        assert!(memories.of_store(1).is_some() && memories.of_store(2).is_none());
        memories.record(unused(1), 2);
        assert!(memories.of_store(1).is_none() && memories.of_store(2).is_none());
    }
}
