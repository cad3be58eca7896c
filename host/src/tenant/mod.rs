//! Whose request is it? Tenants, and the table that finds them.

mod lookup;
mod usage;

pub use lookup::TenantTable;
pub use usage::Usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::check::{CredentialNames, Egress, Forbidden, OwnAddresses, Policy, Refusal, check};
use crate::config::{
    FailureAnswer, FallbackPeer, Grants, GroupConfig, Limits, Quota, Share, TenantConfig, UpstreamDefaults,
};
use crate::credentials::{Credentials, Granted};
use crate::local_ports;
use crate::metrics::{Metrics, TenantMetrics};
use crate::module::Module;
use crate::peer::PoolKeys;
use crate::raw;
use crate::resolve::Unreachable;
use crate::stores::{Group, Shared, Stores, Upstreams};

/// A tenant while the proxy runs.
#[derive(Debug)]
pub struct Tenant {
    pub name: Arc<str>,
    pub limits: Limits,
    pub quota: Quota,
    pub upstream: UpstreamDefaults,
    pub grants: Grants,
    pub failure: FailureAnswer,
    /// Asked when the tenant's modules fail.
    pub fallback_modules: Vec<Module>,
    /// Where requests go when those fail as well.
    pub fallback_route: Option<raw::Route>,
    pub pool_keys: PoolKeys,
    pub unreachable: Unreachable,
    pub own: Arc<OwnAddresses>,
    pub usage: Usage,
    /// What its modules may ask for that outlives a decision.
    pub stores: Arc<Stores>,
    pub metrics: TenantMetrics,
    modules: ArcSwap<Vec<Module>>,
    credentials: ArcSwap<Granted>,
}

/// A tenant that may not be as its configuration has it.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("failure.peer: {0}")]
    FallbackPeer(Refusal),
    #[error("group `{group}`: `{address}` {why}")]
    GroupAddress { group: String, address: SocketAddr, why: Forbidden },
    #[error("group `{group}`: {message}")]
    Group { group: String, message: String },
}

/// What a tenant brings.
pub struct Modules {
    pub live: Vec<Module>,
    pub fallback: Vec<Module>,
}

/// What all tenants of a proxy share.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub credentials: &'a Credentials,
    pub own: &'a Arc<OwnAddresses>,
    pub metrics: &'a Metrics,
    /// Threads that decide.
    pub threads: usize,
    /// What a tenant has if its quota does not say.
    pub share: Share,
}

impl Tenant {
    pub fn new(config: &TenantConfig, modules: Modules, around: Surroundings<'_>) -> Result<Tenant, TenantError> {
        let metrics = around.metrics.tenant(&config.name);
        let egress = Egress { grants: &config.grants, own: around.own };
        let stores = Stores {
            shared: Shared::new(config.quota.shared_bytes),
            upstreams: Upstreams::new(config.quota.peers, Instant::now()),
            groups: config.groups.iter().map(|group| new_group(config, group, egress)).collect::<Result<_, _>>()?,
        };
        metrics.modules(modules.live.iter().map(Module::digest));
        let tenant = Tenant {
            name: config.name.as_str().into(),
            limits: config.limits.clone(),
            quota: config.quota.clone(),
            upstream: config.upstream.clone(),
            grants: config.grants.clone(),
            failure: config.failure.answer.clone(),
            fallback_modules: modules.fallback,
            fallback_route: config.failure.peer.as_ref().map(route),
            pool_keys: PoolKeys::new(config.quota.peers),
            unreachable: Unreachable::default(),
            own: around.own.clone(),
            usage: Usage::new(&config.quota, &config.breaker, around.threads, around.share),
            stores: Arc::new(stores),
            metrics,
            modules: ArcSwap::from_pointee(modules.live),
            credentials: ArcSwap::from_pointee(around.credentials.granted(&config.grants.credentials)),
        };
        if let Some(route) = &tenant.fallback_route {
            check(raw::Decision::Connect(route.clone()), &tenant.policy(&tenant.credentials().names))
                .map_err(TenantError::FallbackPeer)?;
        }
        Ok(tenant)
    }

    /// What its modules may answer.
    pub fn policy<'a>(&'a self, credentials: &'a CredentialNames) -> Policy<'a> {
        Policy {
            limits: &self.limits,
            upstream: &self.upstream,
            grants: &self.grants,
            credentials,
            own: &self.own,
            local_ports: local_ports::system(),
        }
    }

    /// Brings those metrics up to date that change with time alone.
    pub fn refresh_metrics(&self) {
        self.metrics.breaker(self.usage.breaker.state(Instant::now()));
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

fn new_group(tenant: &TenantConfig, group: &GroupConfig, egress: Egress<'_>) -> Result<Group, TenantError> {
    for address in &group.addresses {
        let refused = |why| TenantError::GroupAddress { group: group.name.clone(), address: *address, why };
        egress.permit(*address).map_err(refused)?;
    }
    Group::new(&tenant.name, group).map_err(|message| TenantError::Group { group: group.name.clone(), message })
}

/// The route to a fallback's peer, as a module would answer it.
fn route(peer: &FallbackPeer) -> raw::Route {
    let mut route = raw::Route::to(&peer.address);
    if peer.tls {
        route.peer.tls = Some(raw::Tls {
            sni: peer.sni.clone(),
            verify: raw::Verify::Full,
            alternative_cn: None,
            ca: peer.ca.clone(),
            client_cert: None,
            curves: None,
            second_key_share: None,
        });
    }
    route
}
