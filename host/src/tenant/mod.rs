//! Whose request is it? Tenants, and the table that finds them.

mod lookup;

pub use lookup::TenantTable;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::check::{Egress, OwnAddresses};
use crate::config::{FailureAnswer, Grants, Limits, TenantConfig, UpstreamDefaults};
use crate::credentials::{Credentials, Granted};
use crate::module::Module;
use crate::peer::PoolKeys;
use crate::resolve::Unreachable;

/// A tenant while the proxy runs.
#[derive(Debug)]
pub struct Tenant {
    pub name: Arc<str>,
    pub limits: Limits,
    pub upstream: UpstreamDefaults,
    pub failure: FailureAnswer,
    pub grants: Grants,
    pub pool_keys: PoolKeys,
    pub unreachable: Unreachable,
    pub own: Arc<OwnAddresses>,
    modules: ArcSwap<Vec<Module>>,
    credentials: ArcSwap<Granted>,
}

impl Tenant {
    pub fn new(
        config: &TenantConfig,
        modules: Vec<Module>,
        credentials: &Credentials,
        own: Arc<OwnAddresses>,
    ) -> Tenant {
        Tenant {
            name: config.name.as_str().into(),
            limits: config.limits.clone(),
            upstream: config.upstream.clone(),
            failure: config.failure.clone(),
            grants: config.grants.clone(),
            pool_keys: PoolKeys::default(),
            unreachable: Unreachable::default(),
            own,
            modules: ArcSwap::from_pointee(modules),
            credentials: ArcSwap::from_pointee(credentials.granted(&config.grants.credentials)),
        }
    }

    /// Where its connections may go.
    pub fn egress(&self) -> Egress<'_> {
        Egress { grants: &self.grants, own: &self.own }
    }

    /// The credentials in force now, to be taken once by a request as well.
    pub fn credentials(&self) -> Arc<Granted> {
        self.credentials.load_full()
    }

    /// Uses these from the next request on.
    pub fn exchange_credentials(&self, credentials: &Credentials) {
        self.credentials.store(Arc::new(credentials.granted(&self.grants.credentials)));
    }

    /// The modules in force now. A request takes them once, so that it never mixes versions.
    pub fn modules(&self) -> Arc<Vec<Module>> {
        self.modules.load_full()
    }
}
