//! One try to reach a peer: it begins, goes to an address, is answered and ends. Its observers are called when it
//! begins, is answered and ends.

pub mod facts;
mod observers;

pub use facts::FailureFacts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::check::Target;
use pointsman_rules::checked::Route;
use pointsman_rules::contract;
use pointsman_rules::quota::CountGuard;
use pointsman_rules::retry;

use crate::answer::Failure;
use crate::peer::ConnectProgress;
use crate::proxy::attempt::observers::Observers;
use crate::proxy::tenant_snapshot::TenantSnapshot;
use crate::resolve::Hop;
use crate::tenant::Tenant;

/// An attempt of a request. It ends when it fails, or with its request.
pub struct Attempt {
    /// The first of a request is 1.
    pub number: u32,
    pub route: Arc<Route>,
    pub start: Instant,
    /// Further addresses of the name that it goes to.
    pub addresses: std::vec::IntoIter<SocketAddr>,
    /// The address that it goes to.
    pub hop: Option<Hop>,
    /// How far its connection got. None: a plain socket, with neither TLS nor a tunnel.
    pub reached: Option<ConnectProgress>,
    /// Pieces of the request's body that were forwarded.
    pub body_pieces: usize,
    /// Set when the upstream's status makes the attempt fail.
    pub failed_status: Option<u16>,
    /// Counts it in the tenant's usage. None: it has ended.
    counted: Option<CountGuard>,
    observers: Observers,
}

impl Attempt {
    pub fn begin(number: u32, route: Arc<Route>, served: &TenantSnapshot) -> Attempt {
        let start = Instant::now();
        let mut observers = Observers::new(served);
        observers.begin(&served.tenant, &route, start);
        Attempt {
            number,
            route,
            start,
            addresses: Vec::new().into_iter(),
            hop: None,
            reached: None,
            body_pieces: 0,
            failed_status: None,
            // Bounded by the requests in flight.
            counted: served.tenant.usage.attempts.enter(usize::MAX),
            observers,
        }
    }

    /// How long its connection is kept for reuse afterwards.
    pub fn idle_timeout(&self, tenant: &Tenant) -> Duration {
        let idle = self.route.peer.timeouts.idle;
        self.counted.as_ref().map_or(idle, |counted| tenant.idle_timeout(idle, counted))
    }

    /// Its next connection goes to this address.
    pub fn connect(&mut self, hop: Hop, reached: Option<ConnectProgress>) {
        self.hop = Some(hop);
        self.reached = reached;
    }

    /// The head of the upstream's final response has arrived.
    pub fn answered(&mut self, tenant: &Tenant) {
        self.observers.answered(tenant);
    }

    /// Ends it as failed. Returns its record for the modules and the access log, and the failure that the client gets
    /// if no other attempt follows.
    pub fn fail(&mut self, tenant: &Tenant, facts: FailureFacts, detail: String) -> (contract::Attempt, Failure) {
        self.end(tenant, Some(&facts));
        let address = self.route.peer.connection.target.to_string();
        let record = contract::Attempt {
            number: self.number,
            address: address.clone(),
            stage: facts.stage,
            failure: facts.failure,
            status: facts.status,
            reused_connection: facts.reused,
            request_sent: facts.progress != retry::Progress::NothingSent,
            elapsed_ms: u32::try_from(self.start.elapsed().as_millis()).unwrap_or(u32::MAX),
            detail: detail.clone(),
        };
        let failure = match facts.exhausted {
            Some(cause) => Failure::Exhausted { address, cause },
            None => Failure::Upstream { stage: facts.stage, failure: facts.failure, address, detail },
        };
        (record, failure)
    }

    /// Ends it, unless it has failed before: its request is over.
    pub fn complete(&mut self, tenant: &Tenant) {
        if self.counted.is_some() {
            self.end(tenant, None);
        }
    }

    fn end(&mut self, tenant: &Tenant, failure: Option<&FailureFacts>) {
        self.counted = None;
        self.observers.end(tenant, failure);
    }

    /// Whether it goes to a name, which may have several addresses.
    pub fn is_to_a_name(&self) -> bool {
        matches!(self.route.peer.connection.next_hop(), Target::Name { .. })
    }

    /// Its actual address, if the module named something else: a name, or a proxy.
    pub fn address(&self) -> Option<&Hop> {
        let connection = &self.route.peer.connection;
        match (&connection.target, &connection.connect_proxy) {
            (Target::Socket(_) | Target::Unix(_), None) => None,
            (Target::Name { .. }, _) | (_, Some(_)) => self.hop.as_ref(),
        }
    }
}
