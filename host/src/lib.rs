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
pub mod resolve;
pub mod peer;

// What holds the rooms together.
pub mod proxy;
pub mod ask;
pub mod decide;
pub mod answer;
pub mod outcome;
pub mod server;

// Beside the walk.
pub mod admin;
pub mod credentials;
pub mod log;
pub mod metrics;
pub mod release;
pub mod health;
pub mod cli;

mod sdk;
