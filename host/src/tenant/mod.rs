//! Tenants, and the table that finds the tenant of a request.

mod policy_snapshot;
mod quota;
mod usage;

pub use policy_snapshot::PolicySnapshot;
pub use usage::Usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use pointsman_rules::check::{CredentialNames, Egress, Forbidden, OwnAddresses, Policy, Refusal, check};
use pointsman_rules::config::{FallbackPeer, GroupConfig, Share, TenantConfig};
use pointsman_rules::contract;
use pointsman_rules::stores::{SharedStore, Stores, Upstreams};
use pointsman_system::local_ports;
use pointsman_wasm::module::Module;

use crate::credentials::Credentials;
use crate::health::CheckedGroup;
use crate::metrics::{Metrics, TenantMetrics};
use crate::peer::{PoolKeys, is_known_group_list};
use crate::resolve::Unreachable;
use crate::versions::{Version, VersionState};

/// A tenant of a running proxy, under one configuration. Another configuration makes a new `Tenant`, which takes over
/// this one's versions, stores and counts.
#[derive(Debug)]
pub struct Tenant {
    pub name: Arc<str>,
    pub config: Arc<TenantConfig>,
    /// Evaluated when the tenant's own modules fail.
    pub fallback_modules: Vec<Module>,
    /// The route for requests when the fallback modules fail as well.
    pub fallback_route: Option<contract::Route>,
    pub own: Arc<OwnAddresses>,
    share: Share,
    pub unreachable: Unreachable,
    pub pool_keys: Arc<PoolKeys>,
    pub usage: Arc<Usage>,
    /// State that its modules share across decisions.
    pub stores: Arc<Stores>,
    /// The configured groups of peers, with their health checks.
    pub groups: Vec<Arc<CheckedGroup>>,
    pub metrics: Arc<TenantMetrics>,
    /// The versions of its modules.
    pub releases: Arc<VersionState>,
    drained: Arc<AtomicBool>,
    terms: ArcSwap<PolicySnapshot>,
}

/// A tenant that cannot be created from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("failure.peer: {0}")]
    FallbackPeer(Refusal),
    #[error("group `{group}`: `{address}` {why}")]
    GroupAddress { group: String, address: SocketAddr, why: Forbidden },
    #[error("group `{group}`: {message}")]
    Group { group: String, message: String },
}

/// A tenant's modules.
pub struct Modules {
    pub live: Version,
    pub fallback: Vec<Module>,
}

/// The dependencies that all tenants of a proxy share.
#[derive(Clone, Copy)]
pub struct TenantDeps<'a> {
    pub credentials: &'a Credentials,
    pub own: &'a Arc<OwnAddresses>,
    pub metrics: &'a Metrics,
    /// Number of threads that run decisions.
    pub threads: usize,
    /// The limits of a tenant whose quota sets none.
    pub share: Share,
}

impl Tenant {
    /// Creates a tenant that did not exist before.
    pub fn new(config: &TenantConfig, modules: Modules, around: TenantDeps<'_>) -> Result<Tenant, TenantError> {
        let (name, metrics) = (Arc::<str>::from(config.name.as_str()), Arc::new(around.metrics.tenant(&config.name)));
        let now = Instant::now();
        let groups = groups(config, &[], around)?;
        let stores = Stores {
            shared: Arc::new(SharedStore::new(config.quota.shared_bytes)),
            upstreams: Arc::new(Upstreams::new(config.quota.peers, now)),
            groups: groups.iter().map(|group| group.group.clone()).collect(),
        };
        let tenant = Tenant {
            releases: Arc::new(VersionState::new(name.clone(), modules.live, metrics.clone())),
            name,
            config: Arc::new(config.clone()),
            fallback_modules: modules.fallback,
            fallback_route: config.failure.peer.as_ref().map(route),
            pool_keys: Arc::new(PoolKeys::new(config.quota.peers)),
            unreachable: Unreachable::default(),
            own: around.own.clone(),
            usage: Arc::new(Usage::new(&config.quota, &config.breaker, around.threads, around.share)),
            share: around.share,
            stores: Arc::new(stores),
            groups,
            metrics,
            drained: Arc::default(),
            terms: ArcSwap::from_pointee(PolicySnapshot::new(config, around.credentials)),
        };
        tenant.check_fallback()?;
        Ok(tenant)
    }

    /// The same tenant under another configuration. Everything that the change does not affect stays: counters in
    /// `shared` go on counting, connections stay pooled, and the versions are the same.
    pub fn reconfigured(
        &self,
        config: &TenantConfig,
        fallback_modules: Vec<Module>,
        around: TenantDeps<'_>,
    ) -> Result<Tenant, TenantError> {
        let (before, quota) = (&self.config, &config.quota);
        let same_peers = before.quota.peers == quota.peers;
        let groups = groups(config, &self.groups, around)?;
        let stores = Stores {
            shared: match before.quota.shared_bytes == quota.shared_bytes {
                true => self.stores.shared.clone(),
                false => Arc::new(SharedStore::new(quota.shared_bytes)),
            },
            upstreams: match same_peers {
                true => self.stores.upstreams.clone(),
                false => Arc::new(Upstreams::new(quota.peers, Instant::now())),
            },
            groups: groups.iter().map(|group| group.group.clone()).collect(),
        };
        let same_usage = before.quota == *quota && before.breaker == config.breaker && self.share == around.share;
        let tenant = Tenant {
            name: self.name.clone(),
            config: Arc::new(config.clone()),
            fallback_modules,
            fallback_route: config.failure.peer.as_ref().map(route),
            pool_keys: if same_peers { self.pool_keys.clone() } else { Arc::new(PoolKeys::new(quota.peers)) },
            unreachable: Unreachable::default(),
            own: around.own.clone(),
            usage: match same_usage {
                true => self.usage.clone(),
                false => Arc::new(Usage::new(quota, &config.breaker, around.threads, around.share)),
            },
            share: around.share,
            stores: Arc::new(stores),
            groups,
            metrics: self.metrics.clone(),
            releases: self.releases.clone(),
            drained: self.drained.clone(),
            terms: ArcSwap::from_pointee(PolicySnapshot::new(config, around.credentials)),
        };
        tenant.check_fallback()?;
        Ok(tenant)
    }

    fn check_fallback(&self) -> Result<(), TenantError> {
        let Some(route) = &self.fallback_route else { return Ok(()) };
        let checked = check(contract::Decision::Connect(route.clone()), &self.policy(&self.terms().granted.names));
        checked.map(|_| ()).map_err(TenantError::FallbackPeer)
    }

    /// Whether the tenant stays unchanged under another configuration.
    pub fn is_as(&self, config: &TenantConfig, share: Share) -> bool {
        *self.config == *config && self.share == share
    }

    /// Whether the tenant takes no new requests.
    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// Stops the tenant from taking new requests, or lets it take them again.
    pub fn drain(&self, drained: bool) {
        self.drained.store(drained, Ordering::Relaxed);
    }

    /// The policy that its modules' answers are checked against.
    pub fn policy<'a>(&'a self, credentials: &'a CredentialNames) -> Policy<'a> {
        Policy {
            limits: self.config.limits.of_any(),
            upstream: &self.config.upstream,
            grants: &self.config.grants,
            credentials,
            own: &self.own,
            local_ports: local_ports::system(),
            tls_groups: is_known_group_list,
        }
    }

    /// Updates the metrics that change with time alone.
    pub fn refresh_metrics(&self) {
        self.metrics.breaker(self.usage.breaker.state(Instant::now()));
        let terms = self.terms.load();
        let (steps, bytes) = terms.cache.size();
        self.metrics.cache((steps, bytes.saturating_add(terms.routes.size())));
    }

    /// The destinations that its connections may reach.
    pub fn egress(&self) -> Egress<'_> {
        Egress { grants: &self.config.grants, own: &self.own }
    }

    /// The current policy snapshot; a request takes it once.
    pub fn terms(&self) -> Arc<PolicySnapshot> {
        self.terms.load_full()
    }

    /// Uses these credentials from the next request on.
    pub fn exchange_credentials(&self, credentials: &Credentials) {
        self.terms.store(Arc::new(PolicySnapshot::new(&self.config, credentials)));
    }
}

/// Creates the groups of a configuration, and keeps those that did not change.
fn groups(
    config: &TenantConfig,
    before: &[Arc<CheckedGroup>],
    around: TenantDeps<'_>,
) -> Result<Vec<Arc<CheckedGroup>>, TenantError> {
    let egress = Egress { grants: &config.grants, own: around.own };
    let groups = config.groups.iter().map(|group| {
        let made = new_group(config, group, egress)?;
        let same = before.iter().find(|before| before.config == *group);
        Ok(same.cloned().unwrap_or_else(|| Arc::new(made)))
    });
    groups.collect()
}

fn new_group(tenant: &TenantConfig, group: &GroupConfig, egress: Egress<'_>) -> Result<CheckedGroup, TenantError> {
    for address in &group.addresses {
        let refused = |why| TenantError::GroupAddress { group: group.name.clone(), address: *address, why };
        egress.permit(*address).map_err(refused)?;
    }
    CheckedGroup::new(&tenant.name, group).map_err(|message| TenantError::Group { group: group.name.clone(), message })
}

/// The route to a fallback peer, in the form in which a module would return it.
fn route(peer: &FallbackPeer) -> contract::Route {
    let mut route = contract::Route::to(&peer.address);
    if peer.tls {
        route.peer.tls = Some(contract::Tls { ca: peer.ca.clone(), ..contract::Tls::verified(peer.sni.clone()) });
    }
    route
}
