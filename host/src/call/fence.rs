//! Knowing what an instance wrote without asking the kernel each time: the pages that it never wrote are made read-only.
//! The first write to one of them makes all writable again, and from then on the kernel is asked as before.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::{SIGSEGV, siginfo_t};
use wasmtime::Store;
use wasmtime::unix::StoreExt as _;

use crate::call::State;
use crate::call::pagemap::{FreshPage, Memory};

/// Decisions that wrote only to known pages until a fence is worth its system calls.
const QUIET: u32 = 32;

/// Fences of an instance at most: one that breaks them again and again is asked about.
const MOST_FENCES: u32 = 4;

/// Runs of read-only pages at most. Each splits a mapping, of which a process has only so many.
const MOST_RUNS: usize = 8;

/// The fence of one instance. It has to go before the instance does: whoever has the memories next may write all of them.
#[derive(Default)]
pub struct Fence {
    /// Once there was one.
    around: Option<Arc<Around>>,
    /// What was left writable, as it is in a fresh instance.
    writable: Vec<FreshPage>,
    quiet: u32,
    fences: u32,
}

/// Memories some of whose pages are read-only while the fence is up. Only one thread at a time has an instance.
struct Around {
    memories: Vec<Memory>,
    up: AtomicBool,
}

impl Fence {
    /// All pages that the instance can have written, while its fence is up.
    pub fn writable(&self) -> Option<&[FreshPage]> {
        self.around.as_ref().filter(|around| around.is_up()).map(|_| self.writable.as_slice())
    }

    /// Counts a decision that was asked about, and tells whether a fence is due by now.
    pub fn is_due(&mut self) -> bool {
        self.quiet = self.quiet.saturating_add(1);
        self.quiet > QUIET && self.fences < MOST_FENCES
    }

    /// Makes all pages read-only but those that were written so far, in order. The instance is not to run meanwhile.
    pub fn raise(&mut self, store: &mut Store<State>, written: Vec<FreshPage>) {
        self.quiet = 0;
        self.fences = self.fences.saturating_add(1);
        let runs = unwritten(&store.data().memories, &written);
        if runs.len() > MOST_RUNS {
            self.fences = MOST_FENCES;
            return;
        }
        self.writable = written;
        let around = self.around.get_or_insert_with(|| Around::new(store));
        around.up.store(true, Ordering::Relaxed);
        if !runs.iter().all(|run| run.memory.protect(run.first, run.end, false)) {
            // No room for more mappings.
            self.fences = MOST_FENCES;
            around.take_down();
        }
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        if let Some(around) = self.around.as_ref().filter(|around| around.is_up()) {
            around.take_down();
        }
    }
}

impl Around {
    /// Of a store that has no fence yet.
    fn new(store: &mut Store<State>) -> Arc<Around> {
        let around = Arc::new(Around { memories: store.data().memories.clone(), up: AtomicBool::new(false) });
        let of_store = around.clone();
        let handler = move |signal: c_int, about: *const siginfo_t, _: *const c_void| {
            // SAFETY: What comes with this signal has the address that could not be written.
            #[expect(unsafe_code, reason = "the address is in a union")]
            let address = || unsafe { (*about).si_addr() };
            signal == SIGSEGV && of_store.broken_at(address().expose_provenance())
        };
        // SAFETY: The handler loads a flag, compares addresses and makes system calls. It allocates nothing, takes no lock
        // and can't panic.
        #[expect(unsafe_code, reason = "what runs in a signal handler is restricted")]
        unsafe {
            store.set_signal_handler(handler);
        }
        around
    }

    fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Whether it was the fence that stopped a write, which can be done again then.
    fn broken_at(&self, address: usize) -> bool {
        self.is_up() && self.memories.iter().any(|memory| memory.contains(address)) && self.lower()
    }

    /// Lowers the fence of an instance that is to go on without, or that goes.
    fn take_down(&self) {
        if !self.lower() {
            // To make mappings alike takes nothing that could be missing. Were it so, nobody could use the memory again.
            tracing::error!("the kernel does not make memory writable again");
            std::process::abort();
        }
    }

    /// Makes all pages writable.
    fn lower(&self) -> bool {
        let lowered = self.memories.iter().all(|memory| memory.protect(0, memory.pages(), true));
        self.up.store(!lowered, Ordering::Relaxed);
        lowered
    }
}

/// Pages of a memory that follow on each other.
struct Run {
    memory: Memory,
    first: usize,
    /// The one behind the last.
    end: usize,
}

/// All pages but these, which are in order.
fn unwritten(memories: &[Memory], written: &[FreshPage]) -> Vec<Run> {
    let mut written = written.iter().map(|page| page.place).peekable();
    let mut runs = Vec::new();
    for (number, memory) in memories.iter().enumerate() {
        let mut first = 0;
        loop {
            let next = written.next_if(|place| place.memory == number);
            let end = next.map_or(memory.pages(), |place| place.page);
            if first < end {
                runs.push(Run { memory: *memory, first, end });
            }
            match next {
                Some(place) => first = place.page.saturating_add(1),
                None => break,
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::pagemap::{PagePlace, Pagemap};
    use crate::call::tests::{asking, router};
    use crate::call::{Made, decide};
    use crate::module::{Loader, Module};

    fn made(module: &Module, path: &str) -> Made {
        let (said, noted) = asking(module, path, |call| decide(module, call));
        said.unwrap();
        noted.instance
    }

    /// The pages that the instance which waits can have written, if its fence is up.
    fn writable(module: &Module) -> Option<Vec<usize>> {
        let live = module.instances().take().unwrap();
        let pages = live.fence.writable().map(|pages| pages.iter().map(|page| page.place.page).collect());
        module.instances().keep(live, usize::MAX);
        pages
    }

    #[test]
    fn fence_is_raised_when_nothing_new_is_written_and_falls_when_something_is() {
        if Pagemap::of_process().is_none() {
            return;
        }
        let loader = Loader::new(1, 0).unwrap();
        // It writes a byte into the page of 4 KiB whose number is the length of the path; the path itself goes to page 8.
        let write = "(i32.store8 (i32.mul (i32.load (i32.const 32764)) (i32.const 4096)) (i32.const 1)) (i32.const 64)";
        let module = router(&loader, 32760, 32768, r#"(data (i32.const 64) "\00\00\00\00\02")"#, write);
        let others = ["/aa", "/aaa", "/aaaa", "/aaaaa"];
        // An instance finds which pages are written, a later one what is in them.
        for _ in 0..10 {
            others.iter().chain(&["/"]).for_each(|path| _ = made(&module, path));
        }
        // Its slot in the pool keeps those pages, so it is held.
        let _held = module.instances().take();
        assert_eq!(made(&module, "/"), Made::New);
        let raise = || (0..=QUIET).for_each(|_| assert_eq!(made(&module, "/"), Made::Rewound));
        raise();
        assert_eq!(writable(&module), Some(vec![1, 7, 8]));

        // A write behind it is a write like any other.
        let mut expected = vec![1, 7, 8];
        for (path, page) in others.iter().zip(3..) {
            assert_eq!(made(&module, path), Made::Rewound);
            assert_eq!(writable(&module), None);
            expected.insert(expected.len() - 2, page);
            raise();
            let again = page < 6;
            assert_eq!(writable(&module), again.then(|| expected.clone()), "{path}");
        }
    }

    fn written(places: &[(usize, usize)]) -> Vec<FreshPage> {
        let page = |(memory, page): &(usize, usize)| PagePlace { memory: *memory, page: *page };
        places.iter().map(|place| FreshPage { place: page(place), content: None }).collect()
    }

    /// It begins nowhere.
    #[test]
    fn memory_of_no_pages_can_be_fenced() {
        let none = Memory::new(&[], 0);
        assert!(none.protect(0, none.pages(), false) && none.protect(0, none.pages(), true));
    }

    #[test]
    fn all_pages_but_the_written_ones_are_fenced_off() {
        // Two memories of sixteen and one of none.
        let (a, b, none) = (Memory::new(&[0], 1), Memory::new(&[1], 1), Memory::new(&[], 0));
        let runs = |places: &[(usize, usize)]| -> Vec<(usize, usize)> {
            let runs = unwritten(&[a, none, b], &written(places));
            runs.iter().map(|run| (run.first, run.end)).collect()
        };
        assert_eq!(runs(&[]), [(0, 16), (0, 16)]);
        assert_eq!(runs(&[(0, 0), (0, 1), (0, 5), (2, 15)]), [(2, 5), (6, 16), (0, 15)]);
        let all: Vec<(usize, usize)> = (0..16).map(|page| (0, page)).collect();
        assert_eq!(runs(&all), [(0, 16)]);
    }
}
