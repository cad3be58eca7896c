//! The observers of attempts: each implements [`Observer`] and is a field of [`Observers`].

use std::time::Instant;

use pointsman_rules::checked::Route;
use pointsman_rules::stores::InFlight;

use crate::proxy::attempt::FailureFacts;
use crate::proxy::tenant_snapshot::TenantSnapshot;
use crate::tenant::Tenant;

/// Watches one attempt of a tenant.
trait Observer {
    fn begin(&mut self, _tenant: &Tenant, _route: &Route, _start: Instant) {}
    /// The head of the final response has arrived.
    fn answered(&mut self, _tenant: &Tenant) {}
    /// The attempt is over: with this failure, or with its request. An attempt that was answered may still fail. Not
    /// called if the process ends before the request does.
    fn end(&mut self, _tenant: &Tenant, _failure: Option<&FailureFacts>) {}
}

/// All observers of one attempt.
pub struct Observers {
    metrics: CountAttempts,
    upstreams: Option<WatchUpstream>,
}

impl Observers {
    pub fn new(served: &TenantSnapshot) -> Observers {
        Observers { metrics: CountAttempts, upstreams: served.watches_upstreams.then(WatchUpstream::default) }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        let upstreams = self.upstreams.as_mut().map(|observer| -> &mut dyn Observer { observer });
        let metrics: &mut dyn Observer = &mut self.metrics;
        std::iter::once(metrics).chain(upstreams)
    }

    pub fn begin(&mut self, tenant: &Tenant, route: &Route, start: Instant) {
        self.all().for_each(|observer| observer.begin(tenant, route, start));
    }

    pub fn answered(&mut self, tenant: &Tenant) {
        self.all().for_each(|observer| observer.answered(tenant));
    }

    pub fn end(&mut self, tenant: &Tenant, failure: Option<&FailureFacts>) {
        self.all().for_each(|observer| observer.end(tenant, failure));
    }
}

/// Counts attempts by their outcome in the tenant's metrics.
struct CountAttempts;

impl Observer for CountAttempts {
    fn answered(&mut self, tenant: &Tenant) {
        tenant.metrics.attempt_answered();
    }

    fn end(&mut self, tenant: &Tenant, failure: Option<&FailureFacts>) {
        if let Some(facts) = failure {
            tenant.metrics.attempt_failed(facts.failure.name());
        }
    }
}

/// Keeps the figures about an upstream that the tenant's modules may read.
#[derive(Default)]
struct WatchUpstream {
    under_way: Option<InFlight>,
}

impl Observer for WatchUpstream {
    fn begin(&mut self, tenant: &Tenant, route: &Route, start: Instant) {
        self.under_way = Some(tenant.stores.upstreams.begin(&route.peer.connection.target, start));
    }

    fn answered(&mut self, _tenant: &Tenant) {
        if let Some(under_way) = &self.under_way {
            under_way.answered(Instant::now());
        }
    }

    fn end(&mut self, tenant: &Tenant, failure: Option<&FailureFacts>) {
        let Some(under_way) = self.under_way.take() else { return };
        // A lack of the proxy's own resources does not count as a failure of the upstream.
        if failure.is_some_and(|facts| facts.exhausted.is_none()) {
            tenant.stores.upstreams.failed(&under_way, Instant::now());
        }
    }
}
