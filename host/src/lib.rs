//! Pointsman: a reverse proxy on Pingora that asks a WebAssembly component which upstream each request goes to, and how
//! to connect to it.
//!
//! The rooms below are listed in the order in which a request passes through them; see `ARCHITECTURE.md`.

#![forbid(unsafe_code)]
// No input from a module, a client or a file may panic the process.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::unreachable, clippy::as_conversions)]

// The walk.
pub mod door;
pub mod versions;
pub mod tenant;
pub mod resolve;
pub mod peer;

// Code that connects the rooms.
pub mod proxy;
pub mod evaluate;
pub mod decide;
pub mod answer;
pub mod outcome;
pub mod control;
pub mod server;

// Outside the walk.
pub mod api;
pub mod admin;
pub mod credentials;
pub mod log;
pub mod metrics;
pub mod release;
pub mod health;
pub mod cli;

mod sdk;
