//! HTTP/1 as the door reads it: where a message ends, and whether it may be taken at all.
//!
//! Pingora parses again what passes here. It is lenient where RFC 9112 is not, and a proxy must not pass on what two
//! servers may read in two ways.

mod chunked;
mod framing;
mod grammar;

pub use framing::{Advance, Framer};
pub use grammar::{HeadScanner, check_head};
