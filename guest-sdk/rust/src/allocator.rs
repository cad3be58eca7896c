//! A module's memory: handed out from bottom to top and never taken back, but for the newest piece.
//!
//! A decision lives for microseconds in an instance of its own, and all of its memory goes with it, so there is nothing
//! to be won by keeping lists of free pieces. What counts is to touch little and not to grow: the standard library's
//! allocator leaves the rest of the initial memory unused and grows it at its first use, which costs the host two
//! system calls in each decision.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

/// Bytes of a page of linear memory.
const PAGE: usize = 65_536;

struct Bump {
    /// Address of the first byte that is free. 0: nothing was handed out yet.
    next: Cell<usize>,
    /// Address behind the last byte of the memory.
    end: Cell<usize>,
}

// SAFETY: a module has one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

unsafe extern "C" {
    /// Set by the linker: where stack and static data end.
    static __heap_base: u8;
}

impl Bump {
    /// Makes room up to `address`, growing the memory if need be.
    fn reserve(&self, address: usize) -> bool {
        let missing = address.saturating_sub(self.end.get());
        if missing == 0 {
            return true;
        }
        let pages = missing.div_ceil(PAGE);
        if memory_grow::<0>(pages) == usize::MAX {
            return false;
        }
        // Also right after somebody else grew the memory: the new pages follow on what there was.
        self.end.set(memory_size::<0>() * PAGE);
        true
    }
}

// SAFETY: pieces never overlap, since `next` only moves back over the newest piece, and `reserve` keeps them inside the
// memory.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.next.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            self.end.set(memory_size::<0>() * PAGE);
        }
        let start = self.next.get().checked_next_multiple_of(layout.align());
        let piece = start.and_then(|start| Some((start, start.checked_add(layout.size())?)));
        match piece {
            Some((start, end)) if self.reserve(end) => {
                self.next.set(end);
                ptr::with_exposed_provenance_mut(start)
            }
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece.addr() + layout.size() == self.next.get() {
            self.next.set(piece.addr());
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if piece.addr() + layout.size() == self.next.get() {
            return match piece.addr().checked_add(size) {
                Some(end) if self.reserve(end) => {
                    self.next.set(end);
                    piece
                }
                _ => ptr::null_mut(),
            };
        }
        // SAFETY: the caller's promises are those of `alloc`, and both pieces are at least `size.min(old)` long.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(piece, moved, layout.size().min(size));
            }
            moved
        }
    }
}
