//! Calls a module for one decision: in an instance, fresh by default, within its budget, with its reads noted.
//!
//! It knows nothing of tenants or upstreams. It takes a module, a request head and limits, and returns the module's
//! answer (`contract::Decision`, unchecked), its reads, its log lines and the cost.

mod configure;
mod decide;
mod error;
mod frames;
mod instances;
mod pool;
mod pooled_instance;
mod program;
mod start;
mod sync;
#[cfg(test)]
pub(crate) mod tests;
mod ticker;
mod warming;

pub(crate) use configure::{configure, store_to_configure, take_lines};
pub use decide::{CallReport, InstanceOrigin, decide, decide_with};
pub use error::CallError;
pub use frames::Frames;
pub(crate) use instances::Instances;
pub(crate) use pool::{InstancePool, PoolBudget};
pub(crate) use pooled_instance::PooledInstance;
pub use program::Callee;
pub(crate) use program::Program;
pub(crate) use start::{NotKept, start};
pub use ticker::Ticker;
pub(crate) use warming::{ReadScope, SharedBudget, WarmUpReport, Warming};
