//! Rewinds the instance of a component: puts it back to the state in which it began, so that it can decide again as a
//! new one would. `docs/design/rewinding.md` says why that is sound.
//!
//! 1. [`instrument`] rewrites a component: it lets the host see its memories, and gets functions that set its globals
//!    back.
//! 2. [`FixedMemoryEngine`] is an engine whose memories never move.
//! 3. [`RewindableStore`] is a store of that engine, with the memories that its instance reported.
//! 4. [`Rewinder`] knows the pages that instances of one component write, and puts them back.
//!
//! This is one of the two crates with unsafe code. Its assumptions, and the reason why each holds:
//!
//! | assumption | kept by |
//! |---|---|
//! | a range that is read, written or protected is a memory of a live store | a memory is only ever made from two slices that Wasmtime lifted out of it; a store checks that its memories were recorded in itself, and owns the store for as long as it uses them |
//! | a memory never moves or shrinks | [`FixedMemoryEngine`] sets `memory_may_move(false)` last |
//! | nobody else touches a memory meanwhile | contents are reached through a borrow of the store, which runs nothing then; components share no memories |
//! | Wasmtime asks a store's signal handler first, for faults in guest code and in its own copies into the guest | tests in `store` |
//! | outside of a call nobody writes a protected page | calls take parameters in registers; any other way to the store ends the protection |
//! | the signal handler changes no `errno` | rustix makes raw system calls; a test in `store` |
//!
//! If you change what a store may do while it is borrowed, check `store`; if you update Wasmtime, run this crate's
//! tests; if you add state to a component that is neither a memory nor a global, check `instrument`, which must refuse
//! it.

#![deny(unsafe_op_in_unsafe_fn)]
// No input from a module may make the process panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

/// Skips a test that needs the kernel to report written pages, if it does not. Under `REQUIRE_REWIND`, which CI sets if
/// its kernel can, such a test fails instead.
#[macro_export]
macro_rules! skip_without_rewinding {
    () => {
        if !$crate::is_available() {
            assert!(std::env::var_os("REQUIRE_REWIND").is_none(), "this kernel reports no written pages");
            eprintln!("skipped: this kernel reports no written pages (Linux 6.7 does)");
            return;
        }
    };
}

mod engine;
mod instrument;
mod memory;
mod pagemap;
mod rewinder;
mod store;
mod write_protect;

pub use engine::FixedMemoryEngine;
pub use instrument::{ANSWERS, DECIDES, HOST, MEMORY, NotRewindable, READ_ANSWER, SELECT_PEER, instrument};
pub use memory::{HasMemories, Memories, add_to_linker};
pub use pagemap::is_available;
pub use rewinder::Rewinder;
pub use store::{InRegisters, RewindableStore};
