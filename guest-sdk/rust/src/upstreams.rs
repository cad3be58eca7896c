//! What the proxy itself saw of upstreams, in the tenant's own requests, and what its health checks found.
//!
//! In a native test, [`testing::upstream`](crate::testing::upstream) and [`testing::group`](crate::testing::group) set
//! what is found here.

pub use crate::bindings::pointsman::router::upstreams::{Health, Upstream};

use crate::Error;
#[cfg(target_family = "wasm")]
use crate::bindings::pointsman::router::upstreams as seen;
#[cfg(not(target_family = "wasm"))]
use crate::testing::upstreams as seen;

/// What is known of an address, whether or not it is in a group.
pub fn get(address: &str) -> Upstream {
    seen::get(address)
}

/// The members of a group that the operator defined, in its order.
pub fn group(name: &str) -> Result<Vec<Upstream>, Error> {
    seen::group(name).ok_or_else(|| Error::new(format_args!("there is no group `{name}`; the operator defines it")))
}

impl Upstream {
    /// An upstream of which nothing is known, to start from in tests.
    pub fn unknown(address: impl Into<String>) -> Upstream {
        Upstream { address: address.into(), health: Health::Unknown, in_flight: 0, latency_us: None, failures: 0 }
    }
}
