//! What a tenant's answers are judged by, and what is remembered of those that passed: both end together.

use crate::answered::Routes;
use crate::config::TenantConfig;
use crate::credentials::{Credentials, Granted};
use crate::recall::Recall;

/// The terms on which one configuration, with the credentials of now, lets a tenant route.
#[derive(Debug)]
pub struct Terms {
    pub granted: Granted,
    /// Empty at first: other terms may judge the same answer otherwise.
    pub recall: Recall,
    /// Empty as well.
    pub routes: Routes,
}

impl Terms {
    pub fn new(config: &TenantConfig, credentials: &Credentials) -> Terms {
        let granted = credentials.granted(&config.grants.credentials);
        Terms { granted, recall: Recall::new(&config.quota), routes: Routes::new(&config.quota) }
    }
}
