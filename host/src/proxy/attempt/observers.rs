//! The observers of attempts: each implements [`Observer`] and is a field of [`Observers`].

use std::sync::Arc;
use std::time::Instant;

use pointsman_rules::checked::Route;
use pointsman_rules::stores::{Stores, UnderWay};

use crate::metrics::TenantMetrics;
use crate::proxy::attempt::FailureFacts;
use crate::proxy::context::Served;

/// Watches one attempt.
trait Observer {
    fn begin(&mut self, _route: &Route, _start: Instant) {}
    /// The head of the final response has arrived.
    fn answered(&mut self) {}
    /// The attempt is over: with this failure, or with its request. An attempt that was answered may still fail.
    fn end(&mut self, _failure: Option<&FailureFacts>) {}
}

/// All observers of one attempt.
pub struct Observers {
    metrics: CountAttempts,
    upstreams: Option<WatchUpstream>,
}

impl Observers {
    pub fn new(served: &Served) -> Observers {
        let tenant = &served.tenant;
        let watches = served.watches_upstreams;
        Observers {
            metrics: CountAttempts(tenant.metrics.clone()),
            upstreams: watches.then(|| WatchUpstream { stores: tenant.stores.clone(), under_way: None }),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut dyn Observer> {
        let upstreams = self.upstreams.as_mut().map(|observer| -> &mut dyn Observer { observer });
        let metrics: &mut dyn Observer = &mut self.metrics;
        std::iter::once(metrics).chain(upstreams)
    }

    pub fn begin(&mut self, route: &Route, start: Instant) {
        self.all().for_each(|observer| observer.begin(route, start));
    }

    pub fn answered(&mut self) {
        self.all().for_each(Observer::answered);
    }

    pub fn end(&mut self, failure: Option<&FailureFacts>) {
        self.all().for_each(|observer| observer.end(failure));
    }
}

/// Counts attempts by their outcome in the tenant's metrics.
struct CountAttempts(Arc<TenantMetrics>);

impl Observer for CountAttempts {
    fn answered(&mut self) {
        self.0.attempt_answered();
    }

    fn end(&mut self, failure: Option<&FailureFacts>) {
        if let Some(facts) = failure {
            self.0.attempt_failed(facts.failure.name());
        }
    }
}

/// Keeps the figures about an upstream that the tenant's modules may read.
struct WatchUpstream {
    stores: Arc<Stores>,
    under_way: Option<UnderWay>,
}

impl Observer for WatchUpstream {
    fn begin(&mut self, route: &Route, start: Instant) {
        self.under_way = Some(self.stores.upstreams.begin(&route.peer.connection.target, start));
    }

    fn answered(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.answered(Instant::now());
        }
    }

    fn end(&mut self, failure: Option<&FailureFacts>) {
        let Some(under_way) = self.under_way.take() else { return };
        // A lack of the proxy's own resources does not count as a failure of the upstream.
        if failure.is_some_and(|facts| facts.exhausted.is_none()) {
            self.stores.upstreams.failed(&under_way, Instant::now());
        }
    }
}
