//! A checked route, with a slot for the peer that a connector prepares for it: the next request that takes the same
//! route gets a copy of that peer.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::check::{RouteSpec, Target};

pub struct Route {
    spec: RouteSpec,
    /// Whether a cache holds this route.
    is_cached: AtomicBool,
    /// The prepared peer, in the connector's own type, which this crate does not know.
    prepared: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Route {
    pub fn new(spec: RouteSpec) -> Route {
        Route { spec, is_cached: AtomicBool::new(false), prepared: OnceLock::new() }
    }

    pub fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    /// Called by a cache that keeps the route for other requests.
    pub fn note_cached(&self) {
        self.is_cached.store(true, Ordering::Relaxed);
    }

    /// The peer that was prepared for this route, if there is one.
    pub fn prepared<P: Any>(&self) -> Option<&P> {
        self.prepared.get()?.downcast_ref()
    }

    /// Keeps a peer for the next attempt on this route, unless the route is not cached, or its address, pool key or
    /// connector differs each time. The peer must hold nothing that belongs to a single attempt.
    pub fn prepare<P: Any + Send + Sync + Clone>(&self, peer: &P) {
        let connection = &self.spec.peer.connection;
        let is_one_place = matches!(connection.target, Target::Socket(_) | Target::Unix(_));
        if self.is_cached.load(Ordering::Relaxed)
            && is_one_place
            && connection.connect_proxy.is_none()
            && !self.spec.peer.timeouts.idle.is_zero()
        {
            // Another thread may have been first; its peer is the same.
            let _ = self.prepared.set(Box::new(peer.clone()));
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

/// Routes are equal if their specs are: they route a request in the same way.
impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Route {}
