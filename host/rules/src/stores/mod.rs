//! Data of a tenant that outlives a decision: the entries of its modules (`shared`), and the proxy's observations of
//! its upstreams. Each tenant has its own.

mod group;
mod shared;
mod upstreams;

pub use group::Group;
pub use shared::SharedStore;
pub use upstreams::{InFlight, Observations, Upstreams};

use std::sync::Arc;
use std::time::Instant;

use crate::config::Quota;

/// The stores of one tenant.
#[derive(Debug)]
pub struct Stores {
    pub shared: Arc<SharedStore>,
    pub upstreams: Arc<Upstreams>,
    pub groups: Vec<Arc<Group>>,
}

impl Stores {
    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name() == name).map(|group| &**group)
    }

    /// Stores without entries, observations and groups.
    pub fn empty(quota: &Quota) -> Stores {
        Stores {
            shared: Arc::new(SharedStore::new(quota.shared_bytes)),
            upstreams: Arc::new(Upstreams::new(quota.peers, Instant::now())),
            groups: Vec::new(),
        }
    }

    /// Stores for decisions that must have no effect, such as a shadow's: their entries are separate.
    pub fn to_try_out(&self, quota: &Quota) -> Arc<Stores> {
        Arc::new(Stores {
            shared: Arc::new(SharedStore::new(quota.shared_bytes)),
            upstreams: self.upstreams.clone(),
            groups: self.groups.clone(),
        })
    }
}
