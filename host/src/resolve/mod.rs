//! Where is that name? From a checked target to the addresses that a connection may go to, best first.
//!
//! Never a blocking look-up: names are asked of DNS asynchronously, once for all requests that wait for the same name,
//! and answers are kept as long as they say.

mod answer;
mod hosts;
mod name_servers;
mod order;
mod resolver;

pub use order::{Family, Unreachable, choose};
pub use resolver::{May, ResolveError, Resolver, ResolverError};

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a connection goes, with nothing left to find out.
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
