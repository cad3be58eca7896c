//! Write a Pointsman routing module in Rust.
//!
//! A module is a function from a [`Request`] to a [`Peer`], a [`Route`], a [`Response`] or a [`Decision`], or to a
//! `Result` with one of them:
//!
//! ```
//! use pointsman_guest::{Error, Peer, Request, config, router};
//!
//! router!(select_peer);
//!
//! fn select_peer(request: &Request) -> Result<Peer, Error> {
//!     let address = match request.path().starts_with("/api/") {
//!         true => config::text("/api")?,
//!         false => config::text("/web")?,
//!     };
//!     Ok(Peer::http(address))
//! }
//! # pointsman_guest::testing::config(r#"{"api": "127.0.0.1:9102", "web": "127.0.0.1:9101"}"#);
//! # assert_eq!(select_peer(&pointsman_guest::testing::get("/api/1")).unwrap(), Peer::http("127.0.0.1:9102"));
//! ```
//!
//! The host calls it for every request, and again after each attempt that failed ([`Request::attempts`]). By default
//! every call starts in a fresh instance: nothing written to a `static` is seen by a later one.
//!
//! Built natively, a module is an ordinary library: [`testing`] makes requests, configuration and log for a plain
//! `cargo test`.

#![deny(missing_docs)]

#[cfg(all(target_arch = "wasm32", feature = "bump-allocator"))]
#[expect(unsafe_code, reason = "an allocator hands out raw memory")]
mod allocator;
mod answer;
mod attempt;
mod bindings;
pub mod clock;
pub mod config;
mod connect;
mod error;
pub mod hash;
pub mod log;
mod panic;
mod peer;
#[cfg(feature = "serde")]
mod pointer;
pub mod random;
mod request;
mod response;
mod route;
mod router;
pub mod shared;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod tls;
pub mod upstreams;

pub use answer::Answer;
pub use bindings::pointsman::router::request::ClientTls;
pub use bindings::pointsman::router::types::{
    Alpn, Attempt, BindTo, ConnectProxy, Decision, Failure, Header, HttpOptions, Peer, Quirks, Response, RetryPolicy,
    Rewrite, Route, SocketOptions, Stage, TcpKeepalive, Timeouts, Tls, Upgrade, Verify,
};
pub use error::Error;
pub use request::Request;

#[doc(hidden)]
pub use router::private as __private;
