//! Write-protects the pages that an instance does not write, so that the kernel need not be queried after each
//! decision. The first write to such a page makes all pages writable again, and from then on the kernel is queried as
//! before.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::libc::{SIGSEGV, siginfo_t};

use crate::memory::{Access, FreshPage, Memory};

/// Decisions that must have written only to known pages before protection is worth its system calls.
pub const QUIET_DECISIONS: u32 = 32;

/// Most times that an instance is protected. One that writes to protected pages again and again is scanned instead.
pub const MOST_PROTECTIONS: u32 = 4;

/// Most runs of read-only pages. Each splits a mapping, and a process has a limited number of mappings.
pub const MOST_RUNS: usize = 8;

/// Memories some of whose pages may be read-only. Only one thread at a time runs the instance.
///
/// The store that owns the memories outlives this, except for the copy in its signal handler, which is dropped with the
/// store.
pub struct ProtectedMemories {
    memories: Vec<Memory>,
    state: AtomicU8,
}

/// Access to the pages of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// All are writable.
    Off,
    /// All are read-only but those that were left writable.
    On,
    /// The kernel refused a change halfway: any page may be either.
    Unknown,
}

fn number(protection: Protection) -> u8 {
    match protection {
        Protection::Off => 0,
        Protection::On => 1,
        Protection::Unknown => 2,
    }
}

impl ProtectedMemories {
    pub fn new(memories: &[Memory]) -> ProtectedMemories {
        ProtectedMemories { memories: memories.to_vec(), state: AtomicU8::new(number(Protection::Off)) }
    }

    /// Whether these are all memories of an instance that reported this many.
    pub fn covers(&self, memories: Option<usize>) -> bool {
        memories == Some(self.memories.len())
    }

    pub fn protection(&self) -> Protection {
        match self.state.load(Ordering::Relaxed) {
            0 => Protection::Off,
            1 => Protection::On,
            _ => Protection::Unknown,
        }
    }

    fn set(&self, protection: Protection) {
        self.state.store(number(protection), Ordering::Relaxed);
    }

    /// Makes the pages of `runs` read-only. False: the kernel refused; then all pages are writable, unless it refused
    /// that as well.
    ///
    /// # Safety
    ///
    /// The store of the memories lives, runs nothing, and has `handle` as its signal handler.
    #[expect(unsafe_code, reason = "Wasmtime does not make memory read-only")]
    pub unsafe fn protect(&self, runs: &[Run]) -> bool {
        self.set(Protection::Unknown);
        // SAFETY: The store lives; the handler makes the pages writable when the guest writes them, `unprotect` before
        // anybody else does.
        let done = runs.iter().all(|run| unsafe { run.memory.protect(run.first, run.end, Access::ReadOnly) });
        match done {
            true => self.set(Protection::On),
            // SAFETY: The store lives.
            false => _ = unsafe { self.unprotect() },
        }
        done
    }

    /// Makes all pages writable. False: the kernel refused, and some pages stay read-only.
    ///
    /// # Safety
    ///
    /// The store of the memories lives.
    #[expect(unsafe_code, reason = "Wasmtime does not make memory read-only")]
    pub unsafe fn unprotect(&self) -> bool {
        // SAFETY: The store lives, and nothing is made read-only.
        let done = self.memories.iter().all(|memory| unsafe { memory.protect(0, memory.pages(), Access::ReadWrite) });
        self.set(if done { Protection::Off } else { Protection::Unknown });
        done
    }

    /// The store's signal handler. Returns whether a fault was a write to a protected page, which can now be repeated.
    /// Wasmtime asks it before it looks for a trap, for faults in guest code and for those in its own copies into the
    /// guest's memory.
    ///
    /// If the kernel refuses to make the pages writable, Wasmtime handles the fault. In guest code it becomes a trap,
    /// and the decision fails; in a copy of the host it ends the process, as any segmentation fault does.
    ///
    /// # Safety
    ///
    /// Called by Wasmtime as a signal handler: `about` is the pointer that the kernel passed, and the store lives.
    #[expect(unsafe_code, reason = "the address is in a union")]
    pub unsafe fn handle(&self, signal: c_int, about: *const siginfo_t) -> bool {
        if signal != SIGSEGV || self.protection() == Protection::Off {
            return false;
        }
        // SAFETY: `SIGSEGV` comes with the address that was accessed.
        let address = unsafe { (*about).si_addr() }.addr();
        // SAFETY: The store lives. This loads a flag, compares addresses and makes system calls: it allocates nothing,
        // takes no lock, cannot panic, and leaves `errno` alone, which rustix's raw system calls do not set.
        self.memories.iter().any(|memory| memory.contains(address)) && unsafe { self.unprotect() }
    }
}

/// Consecutive pages of a memory.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub memory: Memory,
    pub first: usize,
    /// The page after the last.
    pub end: usize,
}

/// All pages but the written ones, which are in order.
pub fn unwritten(memories: &[Memory], written: &[FreshPage]) -> Vec<Run> {
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
    use crate::memory::PagePlace;
    use crate::memory::tests::unused;

    fn written(places: &[(usize, usize)]) -> Vec<FreshPage> {
        let page = |(memory, page): &(usize, usize)| PagePlace { memory: *memory, page: *page };
        places.iter().map(|place| FreshPage { place: page(place), content: None }).collect()
    }

    #[test]
    fn all_pages_but_the_written_ones_are_protected() {
        let runs = |places: &[(usize, usize)]| -> Vec<(usize, usize)> {
            let runs = unwritten(&[unused(16), unused(0), unused(16)], &written(places));
            runs.iter().map(|run| (run.first, run.end)).collect()
        };
        assert_eq!(runs(&[]), [(0, 16), (0, 16)]);
        assert_eq!(runs(&[(0, 0), (0, 1), (0, 5), (2, 15)]), [(2, 5), (6, 16), (0, 15)]);
        let all: Vec<(usize, usize)> = (0..16).map(|page| (0, page)).collect();
        assert_eq!(runs(&all), [(0, 16)]);
    }
}
