//! HTTP/1 as the door reads it: finds where a message ends, and whether to accept it at all.
//!
//! Pingora parses accepted messages again. It is lenient where RFC 9112 is not, and a proxy must not forward a message
//! that two servers may read in two ways.

mod chunked;
mod framing;
mod grammar;
mod head_scanner;
mod target;

pub use framing::{Advance, Framer};
pub use grammar::check_head;
pub use head_scanner::HeadScanner;
