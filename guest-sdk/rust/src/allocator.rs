//! A module's memory: handed out from bottom to top, and again where a piece of the same size has come back.
//!
//! A decision lives for microseconds, as a rule in an instance of its own, and all of its memory goes with it. What
//! counts is to touch little and not to grow: the standard library's allocator leaves the rest of the initial memory
//! unused and grows it at its first use, which costs the host two system calls in each decision. In an instance that
//! decides again and again (`instance_calls`), what one decision gave back is there for the next, so that its memory
//! comes to an end.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

/// Bytes of a page of linear memory.
const PAGE: usize = 65_536;

/// All sizes are multiples of it, so that a piece which has come back can hold a link to the next.
const STEP: usize = 8;

/// Sizes up to this one have a list for each step; beyond, four lists for each doubling.
const LARGEST_STEPPED: usize = 512;
const STEPPED: usize = LARGEST_STEPPED / STEP;
const LISTS: usize = STEPPED + 4 * (usize::BITS - LARGEST_STEPPED.ilog2()) as usize;

/// The size that a piece really gets, and the list of its kind.
fn class(size: usize) -> Option<(usize, usize)> {
    let below = size - 1;
    if size <= LARGEST_STEPPED {
        return Some(((below / STEP + 1) * STEP, below / STEP));
    }
    let octave = below.ilog2();
    let quarters = below >> (octave - 2);
    let size = (quarters + 1).checked_mul(1 << (octave - 2))?;
    Some((size, STEPPED + 4 * (octave - LARGEST_STEPPED.ilog2()) as usize + quarters % 4))
}

struct Bump {
    /// Address of the first byte that was never handed out. 0: nothing has been allocated yet.
    next: Cell<usize>,
    /// Address behind the last byte of the memory.
    end: Cell<usize>,
    /// Pieces that have come back, by size: each list's first.
    free: [Cell<*mut u8>; LISTS],
}

// SAFETY: a module has one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0), end: Cell::new(0), free: [const { Cell::new(ptr::null_mut()) }; LISTS] };

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

    /// A piece that was never handed out.
    fn fresh(&self, size: usize, align: usize) -> *mut u8 {
        if self.next.get() == 0 {
            self.next.set((&raw const __heap_base).addr());
            self.end.set(memory_size::<0>() * PAGE);
        }
        let start = self.next.get().checked_next_multiple_of(align.max(STEP));
        match start.and_then(|start| Some((start, start.checked_add(size)?))) {
            Some((start, end)) if self.reserve(end) => {
                self.next.set(end);
                ptr::with_exposed_provenance_mut(start)
            }
            _ => ptr::null_mut(),
        }
    }

    fn is_newest(&self, piece: *mut u8, size: usize) -> bool {
        piece.addr() + size == self.next.get()
    }
}

// SAFETY: pieces never overlap. Those that were never handed out lie above `next`, which only moves back over the
// newest piece, and `reserve` keeps them inside the memory; those in the lists are in nobody's hands, and each has the
// size of its list and the alignment of a step. Pieces of a larger alignment are in no list.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((size, list)) = class(layout.size()) else { return ptr::null_mut() };
        let first = self.free[list].get();
        if first.is_null() || layout.align() > STEP {
            return self.fresh(size, layout.align());
        }
        // SAFETY: `dealloc` has written a link there.
        self.free[list].set(unsafe { first.cast::<*mut u8>().read() });
        first
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some((size, list)) = class(layout.size()) else { return };
        if self.is_newest(piece, size) {
            self.next.set(piece.addr());
        } else if layout.align() <= STEP {
            // SAFETY: it is at least a step long, aligned to one, and its owner has given it up.
            unsafe { piece.cast::<*mut u8>().write(self.free[list].get()) };
            self.free[list].set(piece);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (Some((before, _)), Some((after, _))) = (class(layout.size()), class(size)) else { return ptr::null_mut() };
        if before == after {
            return piece;
        }
        if self.is_newest(piece, before) {
            return match piece.addr().checked_add(after) {
                Some(end) if self.reserve(end) => {
                    self.next.set(end);
                    piece
                }
                _ => ptr::null_mut(),
            };
        }
        // SAFETY: the caller's promises are those of `alloc` and `dealloc`, and both pieces are at least
        // `size.min(layout.size())` long.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(piece, moved, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}
