//! Runs modules: from a file to a component that is compiled and linked, and from a request head to the module's
//! unchecked answer, within its limits. Knows nothing of tenants, upstreams or HTTP connections.

// Nothing that a module or a file says may panic the process.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

pub mod engine;
pub mod state;
pub mod wasi;
pub mod abi;
pub mod call;
pub mod module;
