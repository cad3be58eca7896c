//! Bounds a tenant's use of resources over time, whatever its modules do: shares, rates and counts that all its
//! requests draw on, and the breaker that stops calling modules which keep failing.
//!
//! Everything here is plain data and takes the time as an argument.

mod breaker;
mod count;
mod rate;

pub use breaker::{Admission, Breaker, Change, Outcome, State};
pub use count::{Count, CountGuard};
pub use rate::Rate;
