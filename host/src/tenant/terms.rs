//! What a tenant's answers are judged by, and what is remembered of those that passed: both end together.

use std::sync::{Arc, OnceLock};

use pointsman_rules::checked::{Route, Routes};
use pointsman_rules::config::TenantConfig;
use pointsman_rules::decision_cache::Recall;

use crate::credentials::{Credentials, Granted};

/// The terms on which one configuration, with the credentials of now, lets a tenant route.
#[derive(Debug)]
pub struct Terms {
    pub granted: Granted,
    /// Empty at first: other terms may judge the same answer otherwise.
    pub recall: Recall,
    /// Empty as well.
    pub routes: Routes,
    /// That of the fallback's peer, once it was needed.
    pub fallback: OnceLock<Arc<Route>>,
}

impl Terms {
    pub fn new(config: &TenantConfig, credentials: &Credentials) -> Terms {
        let granted = credentials.granted(&config.grants.credentials);
        let (recall, routes) = (Recall::new(&config.quota), Routes::new(&config.quota));
        Terms { granted, recall, routes, fallback: OnceLock::new() }
    }
}
