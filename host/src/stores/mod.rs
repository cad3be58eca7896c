//! What a tenant's modules may ask for that outlives a decision: what they keep themselves (`shared`), and what the
//! proxy saw of upstreams (`upstreams`). Each tenant has stores of its own.

mod groups;
mod shared;
mod upstreams;

pub use groups::Group;
pub use shared::{Shared, SharedError};
pub use upstreams::{Known, UnderWay, Upstreams};

/// The stores of one tenant.
#[derive(Debug)]
pub struct Stores {
    pub shared: Shared,
    pub upstreams: Upstreams,
    pub groups: Vec<Group>,
}

impl Stores {
    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}
