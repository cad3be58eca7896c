//! The tenant and version that serve a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::request::RequestHead;

use crate::tenant::{PolicySnapshot, Tenant};
use crate::versions::{Serving, Version};

/// The tenant and version that serve a request: taken once, so that a reload never mixes versions within it.
pub struct TenantSnapshot {
    pub tenant: Arc<Tenant>,
    /// The tenant's serving state, and the version that serves this request.
    pub serving: Arc<Serving>,
    pub version: Arc<Version>,
    pub terms: Arc<PolicySnapshot>,
    /// Whether any module of the version or the fallback reads statistics about upstreams.
    pub watches_upstreams: bool,
    /// Index of the module that is called next: those before it passed.
    pub next_module: usize,
    pub head: Arc<RequestHead>,
}

impl TenantSnapshot {
    /// The time left for all attempts of a request that began at `start`. None: it is used up.
    pub fn time_left(&self, start: Instant) -> Option<Duration> {
        self.tenant.config.upstream.overall_timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())
    }
}
