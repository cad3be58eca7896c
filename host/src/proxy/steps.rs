//! The steps of the walk, each of which calls one room or two. `phases` runs them in Pingora's phases.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pingora::connectors::TransportConnector;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use pointsman_rules::check::{SocketError, Target};
use pointsman_rules::checked::Route;
use pointsman_rules::contract;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::request::{self, check_http2_head};
use pointsman_rules::tenant_lookup::TenantTable;
use pointsman_system::memory::MemoryWatch;
use pointsman_wasm::call::CallReport;
use pointsman_wasm::module::Module;

use crate::answer::{Failure, OverQuota};
use crate::decide::{self, Released, decide, fall_back};
use crate::evaluate::{Action, Question};
use crate::log::{AccessLogger, Explain};
use crate::metrics::Metrics;
use crate::peer::{Found, PeerInputs, PoolKey, Prepared, http_peer, prepared};
use crate::proxy::attempt::{self, FailureFacts};
use crate::proxy::context::{Context, Decision, Next, Served};
use crate::proxy::failed::{final_status, note_attempt};
use crate::proxy::in_flight::Gauge;
use crate::proxy::module_logs::tell;
use crate::proxy::{explain, head, write};
use crate::release::{Shadow, ShadowJob};
use crate::resolve::{Family, Hop, LookupPolicy, ResolveError, Resolver};
use crate::tenant::Tenant;

/// The reason for refusing work when the process uses too much memory.
const MEMORY: &str = "the process has more memory than it may (proxy.memory_mib)";

/// Timeout of an attempt that begins when the request's time is used up, so that it fails as a timeout.
const LAST_MOMENT: Duration = Duration::from_millis(1);

/// The failed attempts of nearly every decision: none.
static NONE_FAILED: LazyLock<Arc<[contract::Attempt]>> = LazyLock::new(|| Arc::new([]));

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
        ctx.served = Some(Served {
            tenant: tenant.clone(),
            serving,
            version,
            watches_upstreams,
            terms: tenant.terms(),
            next_module: 0,
            head: Arc::new(head),
        });
        let limit = tenant.config.quota.concurrent_requests;
        ctx.counted = tenant.usage.requests.enter(limit);
        if ctx.counted.is_none() {
            tenant.metrics.over_budget(LimitKey::ConcurrentRequests);
            return Err(Failure::TooManyRequests { limit });
        }
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
        let attempts = match ctx.failed.as_slice() {
            [] => NONE_FAILED.clone(),
            failed => failed.into(),
        };
        let (asked, decision_time) = (&mut ctx.decision, &mut ctx.decision_time);
        let (tenant, version) = (&served.tenant, &served.version);
        let mut explained = self.explain.as_ref().map(|_| explain::Explained::new(&served.head, version.number));
        let question = Question {
            tenant,
            modules: &version.modules,
            stores: &tenant.stores,
            terms: &served.terms,
            head: &served.head,
            attempts: &attempts,
            // No cache while decisions are explained: an explanation needs the call.
            cache: (attempts.is_empty() && explained.is_none()).then_some(&served.terms.cache),
        };
        let released = Released { serving: &served.serving, version };
        if let Some((action, module)) = decide::cached(question, released, &mut served.next_module) {
            *asked = Some(Decision { digest: module.digest(), kind: Some(action.kind()), recalled: true });
            self.shadow(served, Ok(&action));
            return Ok(action);
        }
        let (head, failed) = (&served.head, &attempts);
        let seen = |module: &Module, decided: &CallReport| {
            if let Some(explained) = &mut explained {
                explained.seen(module, decided, head, failed);
            }
            *decision_time += decided.elapsed;
            *asked = Some(Decision { digest: module.digest(), kind: None, recalled: false });
            tell(tenant, module, decided);
        };
        let decision = match tenant.usage.turn().await {
            Ok(_turn) => decide(question, released, &mut served.next_module, seen),
            Err(over) => {
                tenant.metrics.over_budget(LimitKey::ConcurrentDecisions);
                fall_back(question, None, over.into(), seen)
            }
        };
        if let (Some(explain), Some(explained)) = (&self.explain, explained) {
            explain.write(&explained.text(&decision));
        }
        if attempts.is_empty() {
            let live = match &decision.fallback {
                None => decision.action.as_ref().map_err(Clone::clone),
                Some(taken) => Err(taken.because.clone()),
            };
            self.shadow(served, live);
        }
        ctx.fallback = decision.fallback;
        if let Some(asked) = asked {
            asked.kind = decision.action.as_ref().ok().map(Action::kind);
        }
        decision.action
    }

    /// Queues the request for the tenant's candidate, if that is in shadow.
    fn shadow(&self, served: &Served, live: Result<&Action, Failure>) {
        let Some(candidate) = served.serving.shadow() else { return };
        // Without a decision of the live version there is nothing to compare with.
        if live.as_ref().is_err_and(|failure| !failure.is_defect() && !failure.is_declined()) {
            return;
        }
        self.shadow.ask(ShadowJob {
            tenant: served.tenant.clone(),
            candidate: candidate.clone(),
            terms: served.terms.clone(),
            head: served.head.clone(),
            live: live.cloned(),
        });
    }

    /// resolve: returns the address that the next connection goes to.
    async fn hop(&self, ctx: &mut Context) -> Result<Hop, Unmade> {
        if let Some(address) = ctx.addresses.next() {
            return Ok(Hop::Socket(address));
        }
        let (route, served) = ctx.current()?;
        let connection = &route.peer.connection;
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
        let tenant = &served.tenant;
        let may =
            LookupPolicy { egress: tenant.egress(), unreachable: &tenant.unreachable, lookups: &tenant.usage.lookups };
        let addresses = self.resolver.addresses(host, port, family, &may).await;
        if let Err(ResolveError::TooMany(_)) = addresses {
            tenant.metrics.over_budget(LimitKey::LookupsPerS);
        }
        let mut addresses = addresses?.into_iter();
        let first = addresses.next().ok_or_else(|| ResolveError::NoAddress(host.clone()))?;
        ctx.addresses = addresses;
        Ok(Hop::Socket(first))
    }

    /// resolve and peer: returns the next attempt's peer for Pingora.
    async fn connect(&self, ctx: &mut Context) -> Result<Box<HttpPeer>, Unmade> {
        let hop = self.hop(ctx).await?;
        let (route, served) = ctx.current()?;
        let tenant = &served.tenant;
        let mut idle_timeout = route.peer.timeouts.idle;
        if tenant.usage.other_connections() >= tenant.usage.connections_kept && !idle_timeout.is_zero() {
            // An idle connection may still be reused, but neither that nor a new one is kept afterwards.
            tenant.metrics.over_budget(LimitKey::Connections);
            idle_timeout = Duration::ZERO;
        }
        let known = prepared(route, idle_timeout, &tenant.usage.connections);
        let Prepared { mut peer, reached } = match known {
            Some(prepared) => prepared,
            None => self.new_peer(route, served, &hop, idle_timeout)?,
        };
        let left = ctx.time_left().unwrap_or(LAST_MOMENT);
        let times = &mut peer.options;
        for time in [&mut times.connection_timeout, &mut times.total_connection_timeout, &mut times.read_timeout] {
            *time = time.map(|time| time.min(left));
        }
        ctx.hop = Some(hop);
        ctx.reached = reached;
        Ok(peer)
    }

    /// Makes the peer of a route for which none is prepared.
    fn new_peer(
        &self,
        route: &Arc<Route>,
        served: &Served,
        hop: &Hop,
        idle_timeout: Duration,
    ) -> Result<Prepared, Failure> {
        let tenant = &served.tenant;
        let PoolKey { key: pool_key, found } = tenant.pool_keys.key(&route.peer);
        if found == Found::TableAnew {
            tenant.metrics.over_budget(LimitKey::Peers);
        }
        if found != Found::Known && !tenant.usage.may_negotiate(route.peer.connection.http.alpn) {
            tenant.metrics.over_budget(LimitKey::Peers);
            return Err(OverQuota::Peers { limit: tenant.config.quota.peers }.into());
        }
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
            let next = std::mem::replace(&mut ctx.next, Next::Ask);
            if next == Next::Ask {
                match self.decide(ctx).await? {
                    Action::Connect(route) => ctx.route = Some(route),
                    Action::Respond(response) => {
                        ctx.route = None;
                        ctx.answered = true;
                        announce_close(session);
                        write::response(session, &response).await.map_err(|error| attempt::elsewhere(&error))?;
                        return Ok(None);
                    }
                }
            }
            if next != Next::Address {
                ctx.begin_attempt();
            }
            match self.connect(ctx).await {
                Ok(peer) => return Ok(Some(peer)),
                Err(Unmade::Failure(failure)) => return Err(failure),
                Err(Unmade::Attempt(what, detail)) => {
                    if !note_attempt(session, ctx, what, detail) {
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
enum Unmade {
    /// The request ends with this failure.
    Failure(Failure),
    /// The attempt failed; another may follow.
    Attempt(FailureFacts, String),
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Unmade {
        Unmade::Failure(failure)
    }
}

impl From<ResolveError> for Unmade {
    fn from(error: ResolveError) -> Unmade {
        Unmade::Attempt(attempt::resolving(&error), error.to_string())
    }
}

impl From<SocketError> for Unmade {
    fn from(error: SocketError) -> Unmade {
        Unmade::Attempt(attempt::finding(&error), error.to_string())
    }
}

/// Ends keep-alive, so that an HTTP/1 response says `connection: close`. Pingora closes the client's connection after a
/// failed attempt; the client must know before it sends another request.
pub(super) fn announce_close(session: &mut Session) {
    session.as_downstream_mut().set_keepalive(None);
}
