//! `wit/0.1`. One file for each interface that the host implements.

mod bindings;
mod clock;
mod config;
mod convert;
mod entry;
mod log;
mod package;
mod random;
mod request;
mod shared;
mod subject;
mod upstreams;

#[cfg(test)]
pub(crate) use bindings::pointsman::router::types;
pub(crate) use bindings::{Router, RouterPre};
pub(crate) use entry::{Added, Answer, Entry};
pub(crate) use package::resolved_wit;
pub use package::{WIT, encoded_wit};
pub use subject::Subject;
