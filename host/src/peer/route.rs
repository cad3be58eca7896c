//! A route that was decided on, and its peer once that was made: the next request that takes the same route gets a copy.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use pingora::upstreams::peer::HttpPeer;

use crate::check::{RouteSpec, Target};

pub struct Route {
    spec: RouteSpec,
    /// Without what belongs to one attempt alone. Never made where the address, the pool key or the connector is another
    /// one each time.
    peer: OnceLock<HttpPeer>,
}

impl Route {
    pub fn new(spec: RouteSpec) -> Route {
        Route { spec, peer: OnceLock::new() }
    }

    pub fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    /// The peer that was made for it, if it was.
    pub(super) fn prepared(&self) -> Option<&HttpPeer> {
        self.peer.get()
    }

    /// Keeps a peer that is as good for the next attempt on this route.
    pub(super) fn prepare(&self, peer: &HttpPeer) {
        let connection = &self.spec.peer.connection;
        let is_one_place = matches!(connection.target, Target::Socket(_) | Target::Unix(_));
        if is_one_place && connection.connect_proxy.is_none() && !self.spec.peer.timeouts.idle.is_zero() {
            // Another thread may have been first: they are the same.
            let _ = self.peer.set(peer.clone());
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl Deref for Route {
    type Target = RouteSpec;

    fn deref(&self) -> &RouteSpec {
        &self.spec
    }
}

/// Two requests that take equal routes are routed the same.
impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Route {}
