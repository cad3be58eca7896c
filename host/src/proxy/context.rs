//! The state of one request between Pingora's phases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::check::Target;
use pointsman_rules::checked::Route;
use pointsman_rules::contract;
use pointsman_rules::quota::Counted;
use pointsman_rules::request::{Pace, RequestHead};
use pointsman_rules::stores::UnderWay;
use pointsman_wasm::module::Digest;

use crate::answer::Failure;
use crate::decide::FallbackTaken;
use crate::door::Connection;
use crate::peer::Reached;
use crate::proxy::in_flight::InFlight;
use crate::release::{Serving, Version};
use crate::resolve::Hop;
use crate::tenant::{PolicySnapshot, Tenant};

/// A request on its walk through the rooms.
pub struct Context {
    pub connection: Option<Arc<Connection>>,
    pub start: Instant,
    pub served: Option<Served>,
    /// The route of the current attempt.
    pub route: Option<Arc<Route>>,
    pub next: Next,
    /// Further addresses of the name that the current attempt goes to.
    pub addresses: std::vec::IntoIter<SocketAddr>,
    /// The address that the current attempt goes to.
    pub hop: Option<Hop>,
    /// How far the connection of the current attempt got.
    pub reached: Option<Reached>,
    pub attempt_start: Instant,
    /// Attempts that have begun.
    pub attempts: u32,
    /// Attempts that failed, oldest first.
    pub failed: Vec<contract::Attempt>,
    /// Set when the upstream's status makes the attempt fail.
    pub failed_status: Option<u16>,
    pub decision: Option<Decision>,
    /// The fallback that replaced the last decision, if that failed.
    pub fallback: Option<FallbackTaken>,
    pub decision_time: Duration,
    /// The failure that the client gets, or got.
    pub failure: Option<Failure>,
    /// The answer is written; Pingora's later phases must not write another.
    pub answered: bool,
    _in_flight: InFlight,
    /// Count the request, and its current attempt, in the tenant's usage.
    pub counted: Option<Counted>,
    pub attempt_counted: Option<Counted>,
    /// The current attempt, in the upstream statistics that the tenant's modules may read.
    pub under_way: Option<UnderWay>,
    /// The pace at which the body of an HTTP/2 request arrives; for HTTP/1, the door itself measures it.
    pub body_pace: Option<Pace>,
    /// Pieces of the body that were forwarded in the current attempt.
    pub body_pieces: usize,
    /// Counts the request among the connection's HTTP/2 responses that may be under way.
    pub begun: Option<Counted>,
}

/// The next step when Pingora asks for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Evaluate the modules.
    Ask,
    /// Try `route`, which is already decided.
    Route,
    /// Continue the same attempt with the next of `addresses`.
    Address,
}

/// The tenant and version that serve a request: taken once, so that a reload never mixes versions within it.
pub struct Served {
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

/// The last decision, for the access log.
pub struct Decision {
    pub digest: Digest,
    /// None: the module gave no usable answer.
    pub kind: Option<&'static str>,
    /// A cache hit: the module was not called.
    pub recalled: bool,
}

impl Context {
    pub fn new(connection: Option<Arc<Connection>>, in_flight: InFlight) -> Context {
        let now = Instant::now();
        Context {
            connection,
            start: now,
            served: None,
            route: None,
            next: Next::Ask,
            addresses: Vec::new().into_iter(),
            hop: None,
            reached: None,
            attempt_start: now,
            attempts: 0,
            failed: Vec::new(),
            failed_status: None,
            decision: None,
            fallback: None,
            decision_time: Duration::ZERO,
            failure: None,
            answered: false,
            _in_flight: in_flight,
            counted: None,
            attempt_counted: None,
            under_way: None,
            body_pace: None,
            body_pieces: 0,
            begun: None,
        }
    }

    /// Begins the next attempt, and resets the state of the previous one.
    pub fn begin_attempt(&mut self) {
        self.attempts += 1;
        self.attempt_start = Instant::now();
        self.body_pieces = 0;
        self.addresses = Vec::new().into_iter();
        self.hop = None;
        self.reached = None;
        self.attempt_counted = None;
        self.under_way = None;
        if let Some(served) = &self.served {
            // Bounded by the requests in flight.
            self.attempt_counted = served.tenant.usage.attempts.enter(usize::MAX);
            if let Some(route) = self.route.as_ref().filter(|_| served.watches_upstreams) {
                let target = &route.peer.connection.target;
                self.under_way = Some(served.tenant.stores.upstreams.begin(target, self.attempt_start));
            }
        }
    }

    /// The route of the current attempt, and the tenant and version that serve the request.
    pub fn current(&self) -> Result<(&Arc<Route>, &Served), Failure> {
        match (&self.route, &self.served) {
            (Some(route), Some(served)) => Ok((route, served)),
            _ => Err(Failure::Internal("an attempt without a route".to_owned())),
        }
    }

    /// Whether the current attempt goes to a name, which may have several addresses.
    pub fn is_of_a_name(&self) -> bool {
        let next_hop = self.route.as_ref().map(|route| route.peer.connection.next_hop());
        matches!(next_hop, Some(Target::Name { .. }))
    }

    /// The time left for all attempts of the request. None: it is used up.
    pub fn time_left(&self) -> Option<Duration> {
        let Some(served) = &self.served else { return None };
        served.tenant.config.upstream.overall_timeout.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero())
    }

    /// Attempts that this request may have: the tenant's limit, or fewer if the module said so.
    pub fn attempts_allowed(&self) -> u32 {
        match (&self.route, &self.served) {
            (Some(route), _) => route.retry.attempts,
            (None, Some(served)) => served.tenant.config.limits.of_any().attempts,
            (None, None) => 1,
        }
    }
}
