//! Requests, configuration, log and all else that a host offers, for a plain `cargo test`, without Wasm and without a
//! host.
//!
//! ```
//! use pointsman_guest::{Error, Peer, Request, config, testing};
//!
//! fn select_peer(request: &Request) -> Result<Peer, Error> {
//!     let addresses = config::texts("/upstreams")?;
//!     let next = addresses.get(request.attempts().len());
//!     next.map(Peer::http).ok_or_else(|| Error::new("no upstream is left"))
//! }
//!
//! testing::config(r#"{"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]}"#);
//!
//! let request = testing::get("https://shop.example/cart?x=1").header("accept", "text/html");
//! assert_eq!(select_peer(&request)?, Peer::http("127.0.0.1:9101"));
//!
//! let request = request.attempt(testing::refused("127.0.0.1:9101"));
//! assert_eq!(select_peer(&request)?, Peer::http("127.0.0.1:9102"));
//! # Ok::<(), Error>(())
//! ```
//!
//! All that a test sets, and all that a module keeps in [`shared`](crate::shared), belongs to the thread, so tests that
//! run at the same time don't meet. A mistake in a test, such as configuration that is not JSON, is a panic.

mod request;
mod settings;
mod stores;

pub(crate) use request::Recorded;
pub use request::{TestRequest, closed, get, refused, request, status, timed_out};
pub use settings::{config, log_lines};
pub(crate) use settings::{log, table};
pub use stores::{clock, group, random, upstream};
pub(crate) use stores::{next_random, now_ms, shared, upstreams};
