//! The rules of Pointsman: plain functions over plain data. Nothing here opens a socket, runs Wasm or waits, and the
//! crate depends on no crate that does (pingora, wasmtime, tokio).
//!
//! The rooms are in the order in which a request walks through them; `ARCHITECTURE.md` has the whole picture.

#![forbid(unsafe_code)]
// No input from a module, a client or a file may make the process panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

// The walk.
pub mod request;
pub mod tenant_lookup;
pub mod decision_cache;
pub mod check;
pub mod checked;
pub mod retry;

// Data used along the walk.
pub mod contract;
pub mod inputs;
pub mod reads;
pub mod settings;
pub mod config;
pub mod quota;
pub mod stores;

// Shared by several rooms.
pub mod bounded;
pub mod dns_name;
pub mod exhausted;
pub mod limit_key;
pub mod text;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
