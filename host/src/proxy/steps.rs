//! The steps of the walk, each of which calls one room or two. `phases` runs them in Pingora's phases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::connectors::TransportConnector;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use pointsman_rules::check::{SocketError, Target};
use pointsman_rules::checked::Route;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{self, check_http2_head};
use pointsman_rules::tenant_lookup::TenantTable;
use pointsman_system::memory::MemoryWatch;
use pointsman_wasm::module::Module;

use crate::answer::Failure;
use crate::decide::{Decider, DecisionEvent, Rollout};
use crate::evaluate::{Action, Question, Step};
use crate::log::{AccessLogger, Explain};
use crate::metrics::Metrics;
use crate::peer::{PeerInputs, ReadyPeer, http_peer, prepared};
use crate::proxy::attempt::{Attempt, FailureFacts, facts};
use crate::proxy::context::{Context, Next};
use crate::proxy::failed::{fail_attempt, final_status};
use crate::proxy::in_flight::Gauge;
use crate::proxy::tenant_snapshot::TenantSnapshot;
use crate::proxy::{explain, head, module_logs, write};
use crate::release::{Shadow, ShadowJob};
use crate::resolve::{Family, Hop, ResolveError, Resolver};
use crate::tenant::Tenant;

/// The reason for refusing work when the process uses too much memory.
const MEMORY: &str = "the process has more memory than it may (proxy.memory_mib)";

/// Timeout of an attempt that begins when the request's time is used up, so that it fails as a timeout.
const LAST_MOMENT: Duration = Duration::from_millis(1);

/// The proxy: all listeners and tenants share one.
pub struct Proxy {
    tenants: Arc<ArcSwap<TenantTable<Arc<Tenant>>>>,
    shadow: Shadow,
    pub(super) access: AccessLogger,
    explain: Option<Explain>,
    metrics: Arc<Metrics>,
    pub(super) in_flight: Gauge,
    error_header: bool,
    memory: Arc<MemoryWatch>,
    resolver: Resolver,
    /// Connects to CONNECT proxies. Pingora pools the tunnels through them, not these connections.
    connector: Arc<TransportConnector>,
}

/// The parts that a proxy is built from.
pub struct Parts {
    pub tenants: Arc<ArcSwap<TenantTable<Arc<Tenant>>>>,
    pub shadow: Shadow,
    pub resolver: Resolver,
    pub access: AccessLogger,
    /// Explains each decision to a module's author.
    pub explain: Option<Explain>,
    pub metrics: Arc<Metrics>,
    pub in_flight: Gauge,
    pub error_header: bool,
    pub memory: Arc<MemoryWatch>,
}

impl Proxy {
    pub fn new(parts: Parts) -> Proxy {
        let Parts { tenants, shadow, resolver, access, explain, metrics, in_flight, error_header, memory } = parts;
        let connector = Arc::new(TransportConnector::new(None));
        Proxy { tenants, shadow, access, explain, metrics, in_flight, error_header, memory, resolver, connector }
    }

    /// door and tenant: checks an HTTP/2 head and the memory limits, finds the request's tenant and version, and counts
    /// the request against the tenant's quota.
    pub(super) fn admit(&self, session: &Session, ctx: &mut Context) -> Result<(), Failure> {
        let Some(connection) = &ctx.connection else {
            return Err(Failure::Internal("a request without a connection".to_owned()));
        };
        let header = session.req_header();
        if let Some(streams) = connection.streams() {
            check_http2_head(&header.method, &header.uri, header.raw_path(), &header.headers).map_err(Failure::Door)?;
            if self.memory.is_high() && streams.is_busy() {
                return Err(Failure::Overloaded(MEMORY));
            }
        }
        if self.memory.is_full() {
            return Err(Failure::Overloaded(MEMORY));
        }
        let authority = request::authority(&header.uri, &header.headers);
        let head = head::take(session, connection, authority);
        let sni = head.tls().and_then(|tls| tls.sni.as_deref());
        let tenants = self.tenants.load();
        let Some(tenant) = tenants.owner(head.listener(), sni, head.authority()) else {
            return Err(Failure::NoTenant(head.authority().to_owned()));
        };
        let serving = tenant.releases.serving();
        let version = serving.version_for(head.client_ip_address()).clone();
        let watches_upstreams =
            version.watches_upstreams || tenant.fallback_modules.iter().any(Module::watches_upstreams);
        ctx.served = Some(TenantSnapshot {
            tenant: tenant.clone(),
            serving,
            version,
            watches_upstreams,
            terms: tenant.terms(),
            next_module: 0,
            head: Arc::new(head),
        });
        ctx.counted = Some(tenant.begin_request()?);
        if tenant.is_drained() {
            return Err(Failure::Drained);
        }
        Ok(())
    }

    /// door: over HTTP/2, waits until the client has read enough of its earlier responses.
    pub(super) async fn begin(&self, ctx: &mut Context) -> Result<(), Failure> {
        const UNREAD: &str = "the client does not read the responses that it asked for on this connection";
        let Some(connection) = &ctx.connection else { return Ok(()) };
        if let Some(streams) = connection.streams() {
            let begun = streams.begin(connection.listener.config.send_timeout).await;
            ctx.begun = Some(begun.ok_or(Failure::Overloaded(UNREAD))?);
        }
        Ok(())
    }

    /// door: checks the pace of an HTTP/2 request's body. The connection itself can't, because its streams share it.
    pub(super) fn keep_pace(&self, bytes: usize, end_of_stream: bool, ctx: &mut Context) -> Result<()> {
        let Some(connection) = ctx.connection.as_ref().filter(|connection| connection.streams().is_some()) else {
            return Ok(());
        };
        let listener = &connection.listener;
        let now = Instant::now();
        let pace = ctx.body_pace.get_or_insert_with(|| listener.body_pace());
        let late = pace.wait(now).is_some_and(|due| due < now);
        if late && !end_of_stream {
            ctx.failure = Some(Failure::RequestTimeout);
            return Err(Error::explain(ErrorType::ReadTimedout, "the body comes too slowly").into_down());
        }
        pace.moved(bytes, || now);
        let _ = pace.wait(now);
        Ok(())
    }

    /// call and check: gets the action of the tenant's modules, from the cache or by calling them, or of its fallback.
    pub(super) async fn decide(&self, ctx: &mut Context) -> Result<Action, Failure> {
        let Some(served) = &mut ctx.served else {
            return Err(Failure::Internal("a decision before the tenant is known".to_owned()));
        };
        let inputs = Inputs::after(served.head.clone(), &ctx.failed);
        let (tenant, version) = (&served.tenant, &served.version);
        let question = Question {
            tenant,
            modules: &version.modules,
            stores: &tenant.stores,
            terms: &served.terms,
            // No cache while decisions are explained: an explanation needs the call.
            cache: (inputs.are_first() && self.explain.is_none()).then_some(&served.terms.cache),
        };
        let rollout = Rollout { serving: &served.serving, version };
        let mut decider = Decider::new(question, rollout, served.next_module);
        let event = match decider.cached(&inputs) {
            Some(event) => event,
            None => {
                let Step::Done(event) = match tenant.turn().await {
                    Ok(_turn) => decider.step(&inputs),
                    Err(over) => decider.fall_back(&inputs, over.into()),
                };
                event
            }
        };
        served.next_module = decider.next_module();
        ctx.decided.note(&event);
        self.publish(served, &event);
        event.action
    }

    /// Passes a decision on to its subscribers.
    fn publish(&self, served: &TenantSnapshot, event: &DecisionEvent<'_>) {
        module_logs::write(event);
        if let Some(explain) = &self.explain {
            explain.write(&explain::text(event));
        }
        self.shadow(served, event);
    }

    /// Queues the request for the tenant's candidate, if that is in shadow.
    fn shadow(&self, served: &TenantSnapshot, event: &DecisionEvent<'_>) {
        let Some(candidate) = served.serving.shadow().filter(|_| event.inputs.are_first()) else { return };
        let live = event.before_fallback().cloned().map_err(Clone::clone);
        // Without a decision of the live version there is nothing to compare with.
        if live.as_ref().is_err_and(|failure| !failure.is_defect() && !failure.is_declined()) {
            return;
        }
        self.shadow.ask(ShadowJob {
            tenant: served.tenant.clone(),
            candidate: candidate.clone(),
            terms: served.terms.clone(),
            inputs: event.inputs.clone(),
            live,
        });
    }

    /// resolve: returns the address that the next connection goes to.
    async fn hop(&self, attempt: &mut Attempt, served: &TenantSnapshot) -> Result<Hop, NoPeer> {
        if let Some(address) = attempt.addresses.next() {
            return Ok(Hop::Socket(address));
        }
        let connection = &attempt.route.peer.connection;
        let (host, port) = match connection.next_hop() {
            Target::Socket(address) => return Ok(Hop::Socket(*address)),
            Target::Unix(path) => {
                // The file behind a path may change between requests.
                served.tenant.egress().permit_socket(path)?;
                return Ok(Hop::Unix(path.clone()));
            }
            Target::Name { host, port } => (host, *port),
        };
        let local = connection.bind_to.as_ref().and_then(|bind| bind.address);
        let family = local.map(|local| Family::of(local.ip()));
        let mut addresses = served.tenant.addresses(&self.resolver, host, port, family).await?.into_iter();
        let first = addresses.next().ok_or_else(|| ResolveError::NoAddress(host.clone()))?;
        attempt.addresses = addresses;
        Ok(Hop::Socket(first))
    }

    /// resolve and peer: returns the peer of the current attempt for Pingora.
    async fn connect(&self, ctx: &mut Context) -> Result<Box<HttpPeer>, NoPeer> {
        let start = ctx.start;
        let (attempt, served) = ctx.current()?;
        let hop = self.hop(attempt, served).await?;
        // The lookup took its part of the time.
        let left = served.time_left(start).unwrap_or(LAST_MOMENT);
        let idle_timeout = attempt.idle_timeout(&served.tenant);
        let known = prepared(&attempt.route, idle_timeout, &served.tenant.usage.connections);
        let ReadyPeer { mut peer, reached } = match known {
            Some(prepared) => prepared,
            None => self.new_peer(&attempt.route, served, &hop, idle_timeout)?,
        };
        let times = &mut peer.options;
        for time in [&mut times.connection_timeout, &mut times.total_connection_timeout, &mut times.read_timeout] {
            *time = time.map(|time| time.min(left));
        }
        attempt.connect(hop, reached);
        Ok(peer)
    }

    /// Makes the peer of a route for which none is prepared.
    fn new_peer(
        &self,
        route: &Arc<Route>,
        served: &TenantSnapshot,
        hop: &Hop,
        idle_timeout: Duration,
    ) -> Result<ReadyPeer, Failure> {
        let tenant = &served.tenant;
        let pool_key = tenant.pool_key(&route.peer)?;
        let credentials = &served.terms.granted.credentials;
        let (connections, connector, own) = (&tenant.usage.connections, &self.connector, &tenant.own);
        Ok(http_peer(route, PeerInputs { hop, pool_key, idle_timeout, connections, credentials, connector, own })?)
    }

    /// Decides, unless that is already done, and repeats until there is a peer to connect to. None: the client has been
    /// answered.
    pub(super) async fn next_peer(
        &self,
        session: &mut Session,
        ctx: &mut Context,
    ) -> Result<Option<Box<HttpPeer>>, Failure> {
        loop {
            match std::mem::replace(&mut ctx.next, Next::Decide) {
                Next::Address => {}
                Next::Begin(route) => ctx.begin_attempt(route),
                Next::Decide => match self.decide(ctx).await? {
                    Action::Connect(route) => ctx.begin_attempt(route),
                    Action::Respond(response) => {
                        ctx.attempt = None;
                        ctx.answered = true;
                        announce_close(session);
                        write::response(session, &response).await.map_err(|error| facts::elsewhere(&error))?;
                        return Ok(None);
                    }
                },
            }
            match self.connect(ctx).await {
                Ok(peer) => return Ok(Some(peer)),
                Err(NoPeer::Failure(failure)) => return Err(failure),
                Err(NoPeer::Attempt(facts, detail)) => {
                    if !fail_attempt(session, ctx, facts, detail) {
                        return Err(ctx.failure.take().unwrap_or(Failure::NoDecision));
                    }
                }
            }
        }
    }

    /// Counts a request that has ended.
    pub(super) fn count(&self, session: &Session, ctx: &Context) {
        match (&ctx.served, &ctx.failure) {
            (Some(served), _) => {
                served.tenant.metrics.request(final_status(session).unwrap_or(0));
            }
            (None, Some(failure)) => self.metrics.unrouted(failure.answer().code),
            (None, None) => {}
        }
    }

    /// Answers a failure, and keeps it for the log.
    pub(super) async fn answer(&self, session: &mut Session, ctx: &mut Context, failure: Failure) -> Result<u16> {
        let tenant = ctx.served.as_ref().map(|served| &served.tenant.config.failure.answer);
        let written = write::failure(session, &failure, tenant, self.error_header).await;
        ctx.failure = Some(failure);
        ctx.answered = true;
        written.map(|status| status.as_u16())
    }
}

/// Why there is no peer to connect to.
enum NoPeer {
    /// The request ends with this failure.
    Failure(Failure),
    /// The attempt failed; another may follow.
    Attempt(FailureFacts, String),
}

impl From<Failure> for NoPeer {
    fn from(failure: Failure) -> NoPeer {
        NoPeer::Failure(failure)
    }
}

impl From<ResolveError> for NoPeer {
    fn from(error: ResolveError) -> NoPeer {
        NoPeer::Attempt(facts::resolving(&error), error.to_string())
    }
}

impl From<SocketError> for NoPeer {
    fn from(error: SocketError) -> NoPeer {
        NoPeer::Attempt(facts::finding(&error), error.to_string())
    }
}

/// Ends keep-alive, so that an HTTP/1 response says `connection: close`. Pingora closes the client's connection after a
/// failed attempt; the client must know before it sends another request.
pub(super) fn announce_close(session: &mut Session) {
    session.as_downstream_mut().set_keepalive(None);
}
