//! Resolves a checked target to the addresses that a connection may go to, best first.
//!
//! Look-ups never block a thread: DNS queries are asynchronous, one look-up serves all requests that wait for the same
//! name, and answers are cached for their TTL.

mod answer;
mod hosts;
mod name_servers;
mod order;
mod resolver;

pub use order::{Family, Unreachable, choose};
pub use resolver::{LookupPolicy, ResolveError, Resolver, ResolverError};

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The resolved destination of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    Socket(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hop::Socket(address) => address.fmt(f),
            Hop::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
