//! Pointsman: a reverse proxy on Pingora that asks a WebAssembly component which upstream each request goes to, and how
//! to connect to it.
//!
//! The rooms below are in the order in which a request walks through them; `ARCHITECTURE.md` tells more.

// Nothing that a module, a client or a file says may panic the process.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

// The walk.
pub mod door;
pub mod tenant;
pub mod module;
pub mod recall;
pub mod call;
pub mod check;
pub mod resolve;
pub mod peer;
pub mod retry;

// What holds the rooms together.
pub mod proxy;
pub mod ask;
pub mod answered;
pub mod decide;
pub mod answer;
pub mod outcome;
pub mod server;

// Beside the walk.
pub mod admin;
pub mod config;
pub mod credentials;
pub mod engine;
pub mod log;
pub mod metrics;
pub mod quota;
pub mod release;
pub mod stores;
pub mod cli;

// Generated from the WIT package.
pub mod raw;
mod bindings;

mod bounded;
mod dns_name;
mod exhausted;
mod file_access;
mod in_parallel;
mod local_ports;
mod memory;
mod permits;
mod read_file;
mod sdk;
mod text;
mod tls_groups;
