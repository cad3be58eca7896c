//! The steps of the walk, each one the question that a room answers. `walk` takes them in Pingora's phases.

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
use pointsman_rules::request::{self, check_http2_head};
use pointsman_rules::tenant_lookup::TenantTable;
use pointsman_system::memory::MemoryWatch;
use pointsman_wasm::call::Decided;
use pointsman_wasm::module::Module;

use crate::answer::{Failure, OverQuota};
use crate::ask::{Question, Wanted};
use crate::decide::{self, Released, decide, fall_back};
use crate::log::{AccessLogger, Explain};
use crate::metrics::Metrics;
use crate::peer::{Ends, Found, PoolKey, Prepared, http_peer, prepared};
use crate::proxy::attempt::{self, What};
use crate::proxy::context::{Context, Decision, Next, Served};
use crate::proxy::failed::{final_status, note_attempt};
use crate::proxy::in_flight::Gauge;
use crate::proxy::lines::tell;
use crate::proxy::{explain, head, write};
use crate::release::{Shadow, ShadowJob};
use crate::resolve::{Family, Hop, May, ResolveError, Resolver};
use crate::tenant::Tenant;

/// Why work is refused when the process has too much memory.
const MEMORY: &str = "the process has more memory than it may (proxy.memory_mib)";

/// What an attempt may take that begins when the request's time is over: it ends as a timeout does.
const LAST_MOMENT: Duration = Duration::from_millis(1);

/// What nearly every decision is asked with.
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
    /// Reaches CONNECT proxies, whose connections are not pooled: what goes through them is.
    connector: Arc<TransportConnector>,
}

/// What a proxy is made of.
pub struct Parts {
    pub tenants: Arc<ArcSwap<TenantTable<Arc<Tenant>>>>,
    pub shadow: Shadow,
    pub resolver: Resolver,
    pub access: AccessLogger,
    /// Tells an author of each decision.
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

    /// door and tenant: is the head within bounds, and whose is it?
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
            turn: 0,
            head: Arc::new(head),
        });
        let limit = tenant.config.quota.concurrent_requests;
        ctx.counted = tenant.usage.requests.enter(limit);
        if ctx.counted.is_none() {
            tenant.metrics.over_budget("concurrent_requests");
            return Err(Failure::TooManyRequests { limit });
        }
        if tenant.is_drained() {
            return Err(Failure::Drained);
        }
        Ok(())
    }

    /// door: over HTTP/2, whether the client reads what it asked for before.
    pub(super) async fn begin(&self, ctx: &mut Context) -> Result<(), Failure> {
        const UNREAD: &str = "the client does not read the responses that it asked for on this connection";
        let Some(connection) = &ctx.connection else { return Ok(()) };
        if let Some(streams) = connection.streams() {
            let begun = streams.begin(connection.listener.config.send_timeout).await;
            ctx.begun = Some(begun.ok_or(Failure::Overloaded(UNREAD))?);
        }
        Ok(())
    }

    /// door: the body of an HTTP/2 request must come in time. The connection itself can't tell: its streams share it.
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

    /// call and check: what do the tenant's modules want, or its fallback?
    pub(super) async fn decide(&self, ctx: &mut Context) -> Result<Wanted, Failure> {
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
            // What an author is told of a decision is what its module did.
            recall: (attempts.is_empty() && explained.is_none()).then_some(&served.terms.recall),
        };
        let released = Released { serving: &served.serving, version };
        if let Some((wanted, module)) = decide::recall(question, released, &mut served.turn) {
            *asked = Some(Decision { digest: module.digest(), kind: Some(wanted.kind()), recalled: true });
            self.shadow(served, Ok(&wanted));
            return Ok(wanted);
        }
        let (head, failed) = (&served.head, &attempts);
        let seen = |module: &Module, decided: &Decided| {
            if let Some(explained) = &mut explained {
                explained.seen(module, decided, head, failed);
            }
            *decision_time += decided.elapsed;
            *asked = Some(Decision { digest: module.digest(), kind: None, recalled: false });
            tell(tenant, module, decided);
        };
        let decision = match tenant.usage.turn().await {
            Ok(_turn) => decide(question, released, &mut served.turn, seen),
            Err(over) => {
                tenant.metrics.over_budget("concurrent_decisions");
                fall_back(question, None, over.into(), seen)
            }
        };
        if let (Some(explain), Some(explained)) = (&self.explain, explained) {
            explain.write(&explained.text(&decision));
        }
        if attempts.is_empty() {
            let live = match &decision.fallback {
                None => decision.wanted.as_ref().map_err(Clone::clone),
                Some(fallen) => Err(fallen.because.clone()),
            };
            self.shadow(served, live);
        }
        ctx.fallback = decision.fallback;
        if let Some(asked) = asked {
            asked.kind = decision.wanted.as_ref().ok().map(Wanted::kind);
        }
        decision.wanted
    }

    /// A candidate that is to decide as well does so elsewhere.
    fn shadow(&self, served: &Served, live: Result<&Wanted, Failure>) {
        let Some(candidate) = served.serving.shadow() else { return };
        // What the live version was not asked says nothing of another one.
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

    /// resolve: the address that the next connection goes to.
    async fn hop(&self, ctx: &mut Context) -> Result<Hop, Unmade> {
        if let Some(address) = ctx.addresses.next() {
            return Ok(Hop::Socket(address));
        }
        let (route, served) = ctx.current()?;
        let connection = &route.peer.connection;
        let (host, port) = match connection.next_hop() {
            Target::Socket(address) => return Ok(Hop::Socket(*address)),
            Target::Unix(path) => {
                // The file behind a path may be another one for each request.
                served.tenant.egress().permit_socket(path)?;
                return Ok(Hop::Unix(path.clone()));
            }
            Target::Name { host, port } => (host, *port),
        };
        let local = connection.bind_to.as_ref().and_then(|bind| bind.address);
        let family = local.map(|local| Family::of(local.ip()));
        let tenant = &served.tenant;
        let may = May { egress: tenant.egress(), unreachable: &tenant.unreachable, lookups: &tenant.usage.lookups };
        let addresses = self.resolver.addresses(host, port, family, &may).await;
        if let Err(ResolveError::TooMany(_)) = addresses {
            tenant.metrics.over_budget("lookups_per_s");
        }
        let mut addresses = addresses?.into_iter();
        let first = addresses.next().ok_or_else(|| ResolveError::NoAddress(host.clone()))?;
        ctx.addresses = addresses;
        Ok(Hop::Socket(first))
    }

    /// resolve and peer: the route of the next attempt, as Pingora connects it.
    async fn connect(&self, ctx: &mut Context) -> Result<Box<HttpPeer>, Unmade> {
        let hop = self.hop(ctx).await?;
        let (route, served) = ctx.current()?;
        let tenant = &served.tenant;
        let mut idle_timeout = route.peer.timeouts.idle;
        if tenant.usage.other_connections() >= tenant.usage.connections_kept && !idle_timeout.is_zero() {
            // An idle connection may still be taken; whichever it is, it is not kept.
            tenant.metrics.over_budget("connections");
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

    /// The peer of a route that was not connected before.
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
            tenant.metrics.over_budget("peers");
        }
        if found != Found::Known && !tenant.usage.may_negotiate(route.peer.connection.http.alpn) {
            tenant.metrics.over_budget("peers");
            return Err(OverQuota::Peers { limit: tenant.config.quota.peers }.into());
        }
        let credentials = &served.terms.granted.credentials;
        let (connections, connector, own) = (&tenant.usage.connections, &self.connector, &tenant.own);
        Ok(http_peer(route, Ends { hop, pool_key, idle_timeout, connections, credentials, connector, own })?)
    }

    /// Decides, unless that is done, until there is a peer to connect to. None: the client has been answered.
    pub(super) async fn next_peer(
        &self,
        session: &mut Session,
        ctx: &mut Context,
    ) -> Result<Option<Box<HttpPeer>>, Failure> {
        loop {
            let next = std::mem::replace(&mut ctx.next, Next::Ask);
            if next == Next::Ask {
                match self.decide(ctx).await? {
                    Wanted::Connect(route) => ctx.route = Some(route),
                    Wanted::Respond(response) => {
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

    /// Answers a failure, and remembers it for the log.
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
    /// That is the end of the request.
    Failure(Failure),
    /// That is a failed attempt.
    Attempt(What, String),
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

/// Pingora closes the client's connection after a failed attempt; the client must know before it sends another request.
pub(super) fn announce_close(session: &mut Session) {
    session.as_downstream_mut().set_keepalive(None);
}
