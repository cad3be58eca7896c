//! What does the module answer? One decision: an instance, fresh by default, within its budget, its reads noted.
//!
//! The room knows nothing of tenants or upstreams. It is given a module, a request head and limits, and gives back what
//! the module said (`contract::Decision`, unchecked), what it read, what it logged and what that cost.

mod configure;
mod decide;
mod error;
mod instances;
mod piles;
mod program;
#[cfg(test)]
pub(crate) mod tests;
mod ticker;
mod warming;

pub(crate) use configure::{configure, store_to_configure, take_lines};
pub use decide::{Decided, Made, decide, decide_with};
pub use error::CallError;
pub use instances::Instances;
pub(crate) use piles::{Pile, Piles};
pub use program::Callee;
pub(crate) use program::Program;
pub use ticker::{Pulse, Ticker};
pub(crate) use warming::{Foreign, Together, Told, Warming};
