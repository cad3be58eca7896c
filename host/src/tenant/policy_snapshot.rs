//! The policy that a tenant's answers are checked against, and the caches of checked answers, which end with it.

use std::sync::{Arc, OnceLock};

use pointsman_rules::checked::{Route, RouteCache};
use pointsman_rules::config::TenantConfig;
use pointsman_rules::decision_cache::DecisionCache;

use crate::credentials::{Credentials, TenantCredentials};

/// The policy for a tenant's routes: one configuration with the current credentials.
#[derive(Debug)]
pub struct PolicySnapshot {
    pub granted: TenantCredentials,
    /// Starts empty, since another policy may check the same answer differently.
    pub cache: DecisionCache,
    /// Starts empty as well.
    pub routes: RouteCache,
    /// The route to the fallback peer, once a request has needed it.
    pub fallback: OnceLock<Arc<Route>>,
}

impl PolicySnapshot {
    pub fn new(config: &TenantConfig, credentials: &Credentials) -> PolicySnapshot {
        let granted = credentials.granted(&config.grants.credentials);
        let (cache, routes) = (DecisionCache::new(&config.quota), RouteCache::new(&config.quota));
        PolicySnapshot { granted, cache, routes, fallback: OnceLock::new() }
    }
}
