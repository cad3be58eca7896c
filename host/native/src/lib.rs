//! Safe functions over code that Rust cannot check: the kernel's, OpenSSL's, and machine code that Wasmtime runs as it
//! is.
//!
//! This is one of the two crates with unsafe code; the other is `pointsman-rewind`. Its assumptions, and the reason why
//! each holds:
//!
//! | assumption | kept by |
//! |---|---|
//! | a received descriptor is nobody else's | [`descriptors::receive`] owns it before it returns; if the kernel could not install all that were sent, receiving fails, and those that it installed stay open, unused, until the process ends |
//! | code that is run was compiled by this program, for the engine's settings | a [`CompiledCode`](artefacts::CompiledCode) is only made by compiling, by a child process that is this program, or from a file that only this user can write; Wasmtime compares the settings |
//! | code that is mapped from a file does not change | [`OwnFolder`](artefacts::OwnFolder) replaces and removes files, it never writes to one; the folder and the file are this user's alone |
//! | OpenSSL's callback gets a verification | it is registered for that class of objects, in [`certificates`] |
//!
//! The types cannot keep one thing: that no other code of this program prints to the standard output of its
//! [`artefacts::COMMAND`], or puts files into the folder of an [`OwnFolder`](artefacts::OwnFolder). Both would have to
//! imitate a format that nothing else has.
//!
//! Each part needs a feature, so that a crate that uses one does not depend on the libraries of the other.

#![deny(unsafe_op_in_unsafe_fn)]
// No input from a module, a file or another process may make the process panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

#[cfg(feature = "artefacts")]
pub mod artefacts;
#[cfg(feature = "certificates")]
pub mod certificates;
pub mod descriptors;
