//! The walk of a request through the rooms, in Pingora's phases. This room holds no rule of its own: it calls the
//! others in order and remembers, in `Context`, what they said.

mod attempt;
mod context;
mod explain;
mod failed;
mod forwarded;
mod head;
mod in_flight;
mod lines;
mod max_forwards;
mod record;
mod response;
mod rewrite;
mod steps;
mod walk;
mod write;

pub use in_flight::{Gauge, InFlight};
pub use steps::{Parts, Proxy};
