//! Statistics of upstreams from the tenant's own requests, and the results of health checks.
//!
//! In a native test, [`testing::upstream`](crate::testing::upstream) and [`testing::group`](crate::testing::group) set
//! them.

pub use crate::bindings::pointsman::router::upstreams::{Health, Upstream};

use crate::Error;
#[cfg(target_family = "wasm")]
use crate::bindings::pointsman::router::upstreams as imported;
#[cfg(not(target_family = "wasm"))]
use crate::testing::upstreams as imported;

/// The statistics of an address, in a group or not.
pub fn get(address: &str) -> Upstream {
    imported::get(address)
}

/// The members of a group that the operator defined, in its order.
pub fn group(name: &str) -> Result<Vec<Upstream>, Error> {
    imported::group(name).ok_or_else(|| Error::new(format_args!("there is no group `{name}`; the operator defines it")))
}

impl Upstream {
    /// An upstream of which nothing is known, to start from in tests.
    pub fn unknown(address: impl Into<String>) -> Upstream {
        Upstream { address: address.into(), health: Health::Unknown, in_flight: 0, latency_us: None, failures: 0 }
    }
}
