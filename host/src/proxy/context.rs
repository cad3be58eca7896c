//! The state of one request between Pingora's phases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::checked::Route;
use pointsman_rules::contract;
use pointsman_rules::quota::CountGuard;
use pointsman_rules::request::Pace;
use pointsman_wasm::module::{Digest, Module};

use crate::answer::Failure;
use crate::decide::{DecisionEvent, FallbackTaken};
use crate::door::Connection;
use crate::evaluate::Action;
use crate::proxy::attempt::Attempt;
use crate::proxy::in_flight::InFlight;
use crate::proxy::tenant_snapshot::TenantSnapshot;

/// A request on its walk through the rooms.
pub struct Context {
    pub connection: Option<Arc<Connection>>,
    pub start: Instant,
    pub served: Option<TenantSnapshot>,
    pub next: Next,
    /// The current attempt, or the last one.
    pub attempt: Option<Attempt>,
    /// Attempts that have begun.
    pub attempts: u32,
    /// Attempts that failed, oldest first.
    pub failed: Vec<contract::Attempt>,
    pub decided: DecisionNotes,
    /// The failure that the client gets, or got.
    pub failure: Option<Failure>,
    /// The answer is written; Pingora's later phases must not write another.
    pub answered: bool,
    _in_flight: InFlight,
    /// Counts the request in the tenant's usage.
    pub counted: Option<CountGuard>,
    /// The pace at which the body of an HTTP/2 request arrives; for HTTP/1, the door itself measures it.
    pub body_pace: Option<Pace>,
    /// Counts the request among the connection's HTTP/2 responses that may be under way.
    pub begun: Option<CountGuard>,
}

/// The next step when Pingora asks for a peer.
#[derive(Debug)]
pub enum Next {
    Decide,
    /// Begin an attempt on this route, which is already decided.
    Begin(Arc<Route>),
    /// Continue the current attempt with the next address of its name.
    Address,
}

/// Fields of the access log about the request's decisions.
#[derive(Default)]
pub struct DecisionNotes {
    /// The module that made the last decision. None: it was made without one.
    pub module: Option<Digest>,
    /// The last decision's kind. None: no module was called, or there was no usable decision.
    pub kind: Option<&'static str>,
    /// The last decision was a cache hit: the module was not called.
    pub is_cached: bool,
    /// The fallback that replaced the last decision, if that failed.
    pub fallback: Option<FallbackTaken>,
    /// The time of all decisions.
    pub time: Duration,
}

impl DecisionNotes {
    pub fn note(&mut self, event: &DecisionEvent<'_>) {
        let module = event.module();
        *self = DecisionNotes {
            module: module.map(Module::digest),
            kind: event.action.as_ref().ok().filter(|_| module.is_some()).map(Action::kind),
            is_cached: event.cached.is_some(),
            fallback: event.fallback.clone(),
            time: self.time + event.elapsed(),
        };
    }
}

impl Context {
    pub fn new(connection: Option<Arc<Connection>>, in_flight: InFlight) -> Context {
        let now = Instant::now();
        Context {
            connection,
            start: now,
            served: None,
            next: Next::Decide,
            attempt: None,
            attempts: 0,
            failed: Vec::new(),
            decided: DecisionNotes::default(),
            failure: None,
            answered: false,
            _in_flight: in_flight,
            counted: None,
            body_pace: None,
            begun: None,
        }
    }

    /// Begins the next attempt.
    pub fn begin_attempt(&mut self, route: Arc<Route>) {
        if let Some(served) = &self.served {
            self.attempts += 1;
            self.attempt = Some(Attempt::begin(self.attempts, route, served));
        }
    }

    /// The current attempt, and the tenant and version that serve the request.
    pub fn current(&mut self) -> Result<(&mut Attempt, &TenantSnapshot), Failure> {
        match (&mut self.attempt, &self.served) {
            (Some(attempt), Some(served)) => Ok((attempt, served)),
            _ => Err(Failure::Internal("no attempt has begun".to_owned())),
        }
    }

    /// The route of the current attempt.
    pub fn route(&self) -> Option<&Route> {
        self.attempt.as_ref().map(|attempt| &*attempt.route)
    }

    /// The time left for all attempts of the request. None: it is used up.
    pub fn time_left(&self) -> Option<Duration> {
        self.served.as_ref()?.time_left(self.start)
    }

    /// Attempts that this request may have: the tenant's limit, or fewer if the module said so.
    pub fn attempts_allowed(&self) -> u32 {
        match (self.route(), &self.served) {
            (Some(route), _) => route.retry.attempts,
            (None, Some(served)) => served.tenant.config.limits.of_any().attempts,
            (None, None) => 1,
        }
    }
}
