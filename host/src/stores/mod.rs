//! What a tenant's modules may ask for that outlives a decision: what they keep themselves (`shared`), and what the
//! proxy saw of upstreams (`upstreams`). Each tenant has stores of its own.

mod groups;
mod shared;
mod upstreams;

pub use groups::Group;
pub use shared::{Shared, SharedError};
pub use upstreams::{Known, UnderWay, Upstreams};

use std::sync::Arc;

use crate::config::Quota;

/// The stores of one tenant.
#[derive(Debug)]
pub struct Stores {
    pub shared: Arc<Shared>,
    pub upstreams: Arc<Upstreams>,
    pub groups: Vec<Arc<Group>>,
}

impl Stores {
    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.config.name == name).map(|group| &**group)
    }

    /// For decisions that are to have no effect: what they keep is their own.
    pub fn to_try_out(&self, quota: &Quota) -> Arc<Stores> {
        Arc::new(Stores {
            shared: Arc::new(Shared::new(quota.shared_bytes)),
            upstreams: self.upstreams.clone(),
            groups: self.groups.clone(),
        })
    }
}
