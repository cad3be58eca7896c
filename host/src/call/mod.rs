//! What does the module answer? One decision: an instance, fresh by default, within its budget, its reads noted.
//!
//! The room knows nothing of tenants or upstreams. It is given a module, a request head and limits, and gives back what
//! the module said (`raw::Decision`, unchecked), what it read, what it logged and what that cost.

mod budget;
mod clock;
mod config;
mod configure;
mod decide;
mod entry;
mod error;
mod fence;
mod instances;
mod layout;
mod limiter;
mod log;
mod pagemap;
mod piles;
mod random;
mod reads;
mod request;
mod rewind;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod upstreams;
mod warming;
mod wasi;

pub use budget::{Pulse, Ticker};
pub(crate) use configure::{configure, store_to_configure, take_lines};
pub(crate) use decide::decide_with;
pub use decide::{Call, Decided, Made, decide};
pub(crate) use entry::Added;
pub use entry::Said;
pub use error::CallError;
pub use instances::Instances;
pub(crate) use layout::Layout;
pub use log::LogLine;
pub(crate) use piles::{Pile, Piles};
pub use reads::{Read, Reads, Source};
pub use request::Subject;
pub(crate) use rewind::{Rewinder, add_to_linker as add_rewinding_to_linker};
pub(crate) use state::State;
pub(crate) use warming::{Foreign, Together, Told, Warming};
pub(crate) use wasi::add_to_linker as add_wasi_to_linker;
