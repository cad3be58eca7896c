//! The walk of a request through the rooms, in Pingora's phases. This room holds no rule of its own: it calls the
//! others in order and keeps their results in `Context`.

mod attempt;
mod context;
mod explain;
mod failed;
mod forwarded;
mod head;
mod in_flight;
mod module_logs;
mod max_forwards;
mod access_record;
mod response;
mod tenant_snapshot;
mod rewrite;
mod steps;
mod phases;
mod write;

pub use in_flight::{Gauge, InFlight};
pub use steps::{Parts, Proxy};
