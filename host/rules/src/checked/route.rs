//! A route that was decided on, with room for what a connector prepares for it: the next request that takes the same
//! route gets a copy.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::check::{RouteSpec, Target};

pub struct Route {
    spec: RouteSpec,
    /// A cache has it.
    is_cached: AtomicBool,
    /// The connector's own type: this crate knows none.
    prepared: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Route {
    pub fn new(spec: RouteSpec) -> Route {
        Route { spec, is_cached: AtomicBool::new(false), prepared: OnceLock::new() }
    }

    pub fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    /// Called by whoever keeps it for other requests.
    pub fn note_cached(&self) {
        self.is_cached.store(true, Ordering::Relaxed);
    }

    /// The peer that was prepared for it, if one was.
    pub fn prepared<P: Any>(&self) -> Option<&P> {
        self.prepared.get()?.downcast_ref()
    }

    /// Keeps a peer for the next attempt on this route, unless nobody will take the route again, or its address, pool
    /// key or connector is another one each time. It holds nothing of one attempt alone.
    pub fn prepare<P: Any + Send + Sync + Clone>(&self, peer: &P) {
        let connection = &self.spec.peer.connection;
        let is_one_place = matches!(connection.target, Target::Socket(_) | Target::Unix(_));
        if self.is_cached.load(Ordering::Relaxed)
            && is_one_place
            && connection.connect_proxy.is_none()
            && !self.spec.peer.timeouts.idle.is_zero()
        {
            // Another thread may have been first: they are the same.
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

/// Two requests that take equal routes are routed the same.
impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Route {}
