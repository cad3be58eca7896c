//! The harness of the integration tests: real proxies, upstreams and sockets inside the test's process.
//!
//! Nothing here asserts how a proxy should behave; the suites under `suite/` do.

#![forbid(unsafe_code)]

pub mod certs;
pub mod client;
pub mod connect_proxy;
pub mod dns;
pub mod h2_frames;
pub mod modules;
pub mod parts;
pub mod proxy;
pub mod raw;
pub mod sockets;
pub mod upstream;
pub mod wait;

pub use certs::Authority;
pub use client::{Client, Reply};
pub use connect_proxy::ConnectProxy;
pub use dns::NameServer;
pub use modules::{Live, Wat, example};
pub use proxy::{Proxy, Tenant};
pub use upstream::{Answer, ReceivedRequest, Upstream};
pub use wait::{eventually, eventually_async};
