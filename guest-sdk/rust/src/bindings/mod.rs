//! What wit-bindgen makes of `wit/0.1`: types, imports, and the macro that exports a router. `tests/languages/bindings
//! --write` writes the two files, which are part of the package, so that no project has to compile a generator.
//!
//! The rest of the crate adds methods to these types; it never copies them. So what a module fills in is the record
//! that the host gets, and its documentation is the contract's.

#![allow(missing_docs, reason = "generated; the WIT leaves a field without words where its type says all")]
#![allow(unsafe_code, clippy::all, reason = "generated")]

/// The optional export: a world of its own, so that a module without it does not have to export it.
#[rustfmt::skip]
pub mod configured;
#[rustfmt::skip]
mod router;

pub use router::*;
