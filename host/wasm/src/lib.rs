//! Loads and runs modules: turns a file into a component that is compiled and linked, and a request head into the
//! module's unchecked answer, within the module's limits. Knows nothing of tenants, upstreams or HTTP connections.

#![forbid(unsafe_code)]
// No input from a module or a file may make the process panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

pub mod engine;
pub mod state;
pub mod wasi;
pub mod abi;
pub mod call;
pub mod module;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
