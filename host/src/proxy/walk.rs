//! Pingora's phases, each calling the rooms that it passes through.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pingora::connectors::TransportConnector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use crate::answer::Failure;
use crate::ask::{Wanted, ask};
use crate::call::Decided;
use crate::check::Target;
use crate::door::{self, CONNECTION, Phase};
use crate::log::AccessLogger;
use crate::module::Module;
use crate::peer::{Ends, Prepared, http_peer};
use crate::proxy::attempt::What;
use crate::proxy::context::{Context, Decision, Next, Served};
use crate::proxy::in_flight::Gauge;
use crate::proxy::{attempt, forwarded, head, record, rewrite, write};
use crate::raw;
use crate::resolve::{Family, Hop, ResolveError, Resolver};
use crate::retry::{self, Body, Failed, Idempotent, Progress};
use crate::tenant::{HostTable, Tenant};

/// The proxy: all listeners and tenants share one.
pub struct Proxy {
    tenants: HostTable<Arc<Tenant>>,
    access: AccessLogger,
    in_flight: Gauge,
    error_header: bool,
    resolver: Resolver,
    /// Reaches CONNECT proxies, whose connections are not pooled: what goes through them is.
    connector: Arc<TransportConnector>,
}

impl Proxy {
    pub fn new(
        tenants: HostTable<Arc<Tenant>>,
        resolver: Resolver,
        access: AccessLogger,
        in_flight: Gauge,
        error_header: bool,
    ) -> Proxy {
        let connector = Arc::new(TransportConnector::new(None));
        Proxy { tenants, access, in_flight, error_header, resolver, connector }
    }

    /// door and tenant: is the head within bounds, and whose is it?
    fn admit(&self, session: &Session, ctx: &mut Context) -> Result<(), Failure> {
        let Some(connection) = &ctx.connection else {
            return Err(Failure::Internal("a request without a connection".to_owned()));
        };
        let limit = connection.listener.max_head_bytes;
        if head::size(session) > limit {
            return Err(Failure::HeadTooLarge { limit });
        }
        let header = session.req_header();
        let authority = door::authority(&header.uri, &header.headers);
        let Some(tenant) = self.tenants.owner(&authority) else { return Err(Failure::NoTenant(authority)) };
        let served = Served {
            tenant: tenant.clone(),
            modules: tenant.modules(),
            credentials: tenant.credentials(),
            turn: 0,
            head: Arc::new(head::take(session, connection, authority)),
        };
        ctx.served = Some(served);
        Ok(())
    }

    /// call and check: what do the tenant's modules want?
    fn decide(&self, ctx: &mut Context) -> Result<Wanted, Failure> {
        let Some(served) = &mut ctx.served else {
            return Err(Failure::Internal("a decision before the tenant is known".to_owned()));
        };
        let attempts: Arc<[raw::Attempt]> = ctx.failed.as_slice().into();
        let (decision, decision_time) = (&mut ctx.decision, &mut ctx.decision_time);
        let tenant = &served.tenant;
        let seen = |module: &Module, decided: &Decided| {
            *decision_time += decided.elapsed;
            *decision = Some(Decision { digest: module.digest(), kind: None });
            tell(tenant, module, decided);
        };
        let (modules, credentials) = (&served.modules, &served.credentials.names);
        let wanted = ask(tenant, modules, credentials, &mut served.turn, &served.head, &attempts, seen)?;
        if let Some(decision) = decision {
            decision.kind = Some(match wanted {
                Wanted::Connect(_) => "connect",
                Wanted::Respond(_) => "respond",
            });
        }
        Ok(wanted)
    }

    /// resolve: the address that the next connection goes to.
    async fn hop(&self, ctx: &mut Context) -> Result<Hop, Unmade> {
        if let Some(address) = ctx.addresses.next() {
            return Ok(Hop::Socket(address));
        }
        let (route, served) = ctx.under_way()?;
        let connection = &route.peer.connection;
        let (host, port) = match connection.next_hop() {
            Target::Socket(address) => return Ok(Hop::Socket(*address)),
            Target::Unix(path) => return Ok(Hop::Unix(path.clone())),
            Target::Name { host, port } => (host, *port),
        };
        let local = connection.bind_to.as_ref().and_then(|bind| bind.address);
        let family = local.map(|local| Family::of(local.ip()));
        let mut addresses = self.resolver.addresses(host, port, family, &served.tenant.unreachable).await?.into_iter();
        let first = addresses.next().ok_or_else(|| ResolveError::NoAddress(host.clone()))?;
        ctx.addresses = addresses;
        Ok(Hop::Socket(first))
    }

    /// resolve and peer: the route of the next attempt, as Pingora connects it.
    async fn connect(&self, ctx: &mut Context) -> Result<Box<HttpPeer>, Unmade> {
        let hop = self.hop(ctx).await?;
        let (route, served) = ctx.under_way()?;
        let ends = Ends {
            hop: &hop,
            pool_key: served.tenant.pool_keys.key(&route.peer),
            credentials: &served.credentials.credentials,
            connector: &self.connector,
        };
        let Prepared { peer, reached } = http_peer(&route.peer, ends).map_err(Failure::from)?;
        ctx.hop = Some(hop);
        ctx.reached = reached;
        Ok(peer)
    }

    /// Decides, unless that is done, until there is a peer to connect to. None: the client has been answered.
    async fn next_peer(&self, session: &mut Session, ctx: &mut Context) -> Result<Option<Box<HttpPeer>>, Failure> {
        loop {
            let next = std::mem::replace(&mut ctx.next, Next::Ask);
            if next == Next::Ask {
                match self.decide(ctx)? {
                    Wanted::Connect(route) => ctx.route = Some(route),
                    Wanted::Respond(response) => {
                        ctx.route = None;
                        ctx.answered = true;
                        announce_close(session);
                        write::response(session, response).await.map_err(|error| attempt::elsewhere(&error))?;
                        return Ok(None);
                    }
                }
            }
            if next != Next::Address {
                ctx.attempts += 1;
                ctx.attempt_start = Instant::now();
            }
            match self.connect(ctx).await {
                Ok(peer) => return Ok(Some(peer)),
                Err(Unmade::Failure(failure)) => return Err(failure),
                Err(Unmade::Name(error)) => {
                    if !note_attempt(session, ctx, attempt::resolving(&error), error.to_string()) {
                        return Err(ctx.failure.take().unwrap_or(Failure::NoDecision));
                    }
                }
            }
        }
    }

    /// Answers a failure, and remembers it for the log.
    async fn answer(&self, session: &mut Session, ctx: &mut Context, failure: Failure) -> Result<u16> {
        let tenant = ctx.served.as_ref().map(|served| &served.tenant.failure);
        let written = write::failure(session, &failure, tenant, self.error_header).await;
        ctx.failure = Some(failure);
        ctx.answered = true;
        written.map(|status| status.as_u16())
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    /// Called when a request's head is complete.
    fn new_ctx(&self) -> Context {
        let connection = CONNECTION.try_with(Clone::clone).ok();
        if let Some(watch) = connection.as_ref().and_then(|connection| connection.watch.as_ref()) {
            watch.enter(Phase::Beyond);
        }
        Context::new(connection, self.in_flight.enter())
    }

    /// No downstream modules: what they do costs every request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        match self.admit(session, ctx) {
            Ok(()) => Ok(false),
            Err(failure) => {
                self.answer(session, ctx, failure).await?;
                Ok(true)
            }
        }
    }

    /// The first decision, one step before `upstream_peer`: here an answer leaves the client's connection open, while
    /// Pingora closes it when `upstream_peer` gives no peer.
    async fn proxy_upstream_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        match self.decide(ctx) {
            Ok(Wanted::Connect(route)) => {
                ctx.route = Some(route);
                ctx.next = Next::Route;
                Ok(true)
            }
            Ok(Wanted::Respond(response)) => {
                ctx.answered = true;
                write::response(session, response).await?;
                Ok(false)
            }
            Err(failure) => {
                self.answer(session, ctx, failure).await?;
                Ok(false)
            }
        }
    }

    /// Asks the module which peer the next attempt goes to; for the first attempt it was asked just before.
    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Context) -> Result<Box<HttpPeer>> {
        match self.next_peer(session, ctx).await {
            Ok(Some(peer)) => Ok(peer),
            Ok(None) => Err(stop()),
            Err(failure) => {
                ctx.failure = Some(failure);
                Err(stop())
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        if let (Some(connection), Some(served)) = (&ctx.connection, &ctx.served) {
            let client = head::client_ip(session);
            let (scheme, authority) = (served.head.scheme(), served.head.authority());
            let from = forwarded::From { client, scheme, authority };
            forwarded::apply(&connection.listener.forwarded, &from, request)?;
        }
        match &ctx.route {
            Some(route) => rewrite::apply(&route.rewrite, request),
            None => Ok(()),
        }
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let what = attempt::connecting(&error, ctx.reached.as_ref());
        let retry = try_next_address(session, ctx, &what) || note_attempt(session, ctx, what, attempt::cause(&error));
        error.set_retry(retry);
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        let status = ctx.failed_status.take();
        if *error.esource() != ErrorSource::Upstream && status.is_none() {
            error.set_retry(false);
            return error;
        }
        let progress = progress(session, &error);
        let what = attempt::proxying(&error, status, progress, reused);
        let retry = note_attempt(session, ctx, what, attempt::cause(&error));
        error.set_retry(retry);
        error
    }

    /// A status that the route counts as a failed attempt becomes an error, if another attempt may follow.
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let status = response.status.as_u16();
        let Some(route) = ctx.route.as_ref().filter(|route| route.retry.on_status.contains(&status)) else {
            return Ok(());
        };
        let allowed = route.retry.attempts;
        if !retry::may_retry(question(session, ctx.attempts, allowed, Progress::Sent)) {
            return Ok(());
        }
        ctx.failed_status = Some(status);
        Err(Error::explain(ErrorType::HTTPStatus(status), "the route retries on this status").into_up())
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Context) -> FailToProxy {
        let status = match session.response_written() {
            // The client has (part of) an answer already; nothing else can be said to it.
            Some(written) => written.status.as_u16(),
            None => {
                let failure = ctx.failure.take().unwrap_or_else(|| attempt::elsewhere(error));
                match failure {
                    Failure::ClientClosed => {
                        ctx.failure = Some(failure);
                        0
                    }
                    failure => {
                        announce_close(session);
                        self.answer(session, ctx, failure).await.unwrap_or(0)
                    }
                }
            }
        };
        if ctx.failure.is_none() && !ctx.answered {
            ctx.failure = Some(attempt::elsewhere(error));
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Context) {
        if self.access.is_on() {
            record::write(&self.access, session, ctx);
        }
    }

    /// The access log has every failure, with its cause.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Context, _error: &Error) -> bool {
        true
    }

    /// The access log has every failed attempt.
    fn suppress_proxy_warn_log(&self, _: &Session, _: &Context, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }
}

/// Why there is no peer to connect to.
enum Unmade {
    /// That is the end of the request.
    Failure(Failure),
    /// That is a failed attempt.
    Name(ResolveError),
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Unmade {
        Unmade::Failure(failure)
    }
}

impl From<ResolveError> for Unmade {
    fn from(error: ResolveError) -> Unmade {
        Unmade::Name(error)
    }
}

/// resolve: the address did not answer; whether the same attempt goes on with another of the same name. Nothing was
/// sent, so that is always safe.
fn try_next_address(session: &Session, ctx: &mut Context, what: &What) -> bool {
    let (Some(served), Some(Hop::Socket(address))) = (&ctx.served, &ctx.hop) else { return false };
    if !what.is_of_the_address() || !ctx.is_of_a_name() {
        return false;
    }
    served.tenant.unreachable.note(*address);
    if ctx.addresses.len() == 0 || body(session) == Body::Gone {
        return false;
    }
    ctx.next = Next::Address;
    true
}

/// retry: notes a failed attempt and asks whether another may follow.
fn note_attempt(session: &Session, ctx: &mut Context, what: What, detail: String) -> bool {
    let address = ctx.route.as_ref().map(|route| route.peer.connection.target.to_string());
    let address = address.unwrap_or_default();
    ctx.addresses = Vec::new().into_iter();
    ctx.failed.push(raw::Attempt {
        number: ctx.attempts,
        address: address.clone(),
        stage: what.stage,
        failure: what.failure,
        status: what.status,
        reused_connection: what.reused,
        request_sent: what.progress != Progress::NothingSent,
        elapsed_ms: u32::try_from(ctx.attempt_start.elapsed().as_millis()).unwrap_or(u32::MAX),
        detail: detail.clone(),
    });
    ctx.failure = Some(Failure::Upstream { stage: what.stage, failure: what.failure, address, detail });
    let retry = retry::may_retry(question(session, ctx.attempts, ctx.attempts_allowed(), what.progress));
    if retry {
        // The next decision says how this ends.
        ctx.failure = None;
    }
    retry
}

fn question(session: &Session, attempts: u32, allowed: u32, progress: Progress) -> Failed {
    Failed {
        attempts,
        allowed,
        progress,
        idempotent: Idempotent::of(&session.req_header().method),
        body: body(session),
    }
}

fn body(session: &Session) -> Body {
    if session.as_ref().retry_buffer_truncated() { Body::Gone } else { Body::Replayable }
}

/// How far an attempt came that failed on an established connection. Pingora marks errors after which it would retry.
/// Of those, only HTTP/2's REFUSED_STREAM, GOAWAY and HTTP_1_1_REQUIRED say that the upstream did not process the
/// request (RFC 9113, sections 6.8, 7 and 8.7); an invalid frame, which Pingora marks as well, says nothing.
fn progress(session: &Session, error: &Error) -> Progress {
    if session.response_written().is_some() {
        return Progress::Answered;
    }
    let marked = error.retry == pingora::RetryType::Decided(true);
    if marked && matches!(error.etype(), ErrorType::H2Error | ErrorType::H2Downgrade) {
        Progress::NotProcessed
    } else {
        Progress::Sent
    }
}

/// Pingora closes the client's connection after a failed attempt; the client must know before it sends another request.
fn announce_close(session: &mut Session) {
    session.as_downstream_mut().set_keepalive(None);
}

/// Ends Pingora's loop over attempts; `Context` holds what the client is told.
fn stop() -> Box<Error> {
    Error::explain(ErrorType::Custom("pointsman"), "no further attempt").into_in()
}

/// Passes a module's log lines on.
fn tell(tenant: &Tenant, module: &Module, decided: &Decided) {
    for line in &decided.lines {
        let (tenant, module) = (&*tenant.name, module.digest());
        match line.level {
            raw::Level::Error => tracing::error!(target: "pointsman::module", tenant, %module, "{}", line.message),
            raw::Level::Warn => tracing::warn!(target: "pointsman::module", tenant, %module, "{}", line.message),
            raw::Level::Info => tracing::info!(target: "pointsman::module", tenant, %module, "{}", line.message),
            raw::Level::Debug => tracing::debug!(target: "pointsman::module", tenant, %module, "{}", line.message),
            raw::Level::Trace => tracing::trace!(target: "pointsman::module", tenant, %module, "{}", line.message),
        }
    }
}
