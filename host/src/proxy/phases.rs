//! Implements Pingora's phases, each of which runs the steps that belong to it.

use std::os::fd::RawFd;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};
use pointsman_rules::retry::{self, Progress};

use crate::answer::Failure;
use crate::door::{CONNECTION, Phase};
use crate::evaluate::Action;
use crate::proxy::attempt::facts;
use crate::proxy::context::{Context, Next};
use crate::proxy::failed::{fail_attempt, final_status, progress, question, try_next_address};
use crate::proxy::response::{self, Persistence};
use crate::proxy::steps::{Proxy, announce_close};
use crate::proxy::{access_record, forwarded, max_forwards, rewrite, write};

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    /// Called when a request's head is complete.
    fn new_ctx(&self) -> Context {
        // Counted as in flight before `Phase::Request` ends its count as a head, so that no shutdown misses it.
        let in_flight = self.in_flight.enter();
        let connection = CONNECTION.try_with(Clone::clone).ok();
        if let Some(phase) = connection.as_ref().and_then(|connection| connection.phase()) {
            phase.enter(Phase::Request);
        }
        Context::new(connection, in_flight)
    }

    /// No downstream modules: their work would cost every request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        if session.req_header().version == Version::HTTP_10 {
            // HTTP/1.0 has no interim responses (RFC 9110, section 15.2).
            session.as_downstream_mut().set_ignore_info_resp(true);
        }
        match self.admit(session, ctx) {
            Ok(()) if max_forwards::ends_here(&session.req_header().method, &session.req_header().headers) => {
                ctx.answered = true;
                write::last_recipient(session).await?;
                Ok(true)
            }
            Ok(()) if is_expecting_over_http2(session) && !first_piece_comes(session).await => {
                self.answer(session, ctx, Failure::Expectation).await?;
                Ok(true)
            }
            Ok(()) => {
                if asks_to_close(&session.req_header().headers) {
                    announce_close(session);
                }
                Ok(false)
            }
            Err(failure) => {
                self.answer(session, ctx, failure).await?;
                Ok(true)
            }
        }
    }

    /// Makes the first decision, one phase before `upstream_peer`: here an answer leaves the client's connection open,
    /// while Pingora closes it when `upstream_peer` returns no peer.
    async fn proxy_upstream_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        let decided = match self.begin(ctx).await {
            Ok(()) => self.decide(ctx).await,
            Err(failure) => Err(failure),
        };
        match decided {
            Ok(Action::Connect(route)) => {
                ctx.next = Next::Begin(route);
                Ok(true)
            }
            Ok(Action::Respond(response)) => {
                ctx.answered = true;
                write::response(session, &response).await?;
                Ok(false)
            }
            Err(failure) => {
                self.answer(session, ctx, failure).await?;
                Ok(false)
            }
        }
    }

    /// Returns the peer of the next attempt. For the first attempt, `proxy_upstream_filter` has already decided; for
    /// later ones, the modules are called here.
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

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        _descriptor: RawFd,
        connection: Option<&Digest>,
        _ctx: &mut Context,
    ) -> Result<()> {
        facts::agreed(connection)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        if session.req_header().version == Version::HTTP_2 {
            // The client is already sending the body, see `request_filter`.
            request.remove_header(&EXPECT);
        }
        rewrite::name_host(request, ctx.route())?;
        rewrite::join_cookies(request)?;
        max_forwards::count_down(request)?;
        if let (Some(connection), Some(served)) = (&ctx.connection, &ctx.served) {
            let (scheme, authority) = (served.head.scheme(), served.head.authority());
            let version = session.req_header().version;
            let from = forwarded::From { client: connection.client, scheme, authority, version };
            forwarded::apply(&connection.listener.config.forwarded, &from, request)?;
        }
        match ctx.route() {
            Some(route) => rewrite::apply(&route.rewrite, request),
            None => Ok(()),
        }
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<()> {
        if session.was_upgraded() {
            return Ok(());
        }
        if end_of_stream && body.as_ref().is_some_and(Bytes::is_empty) {
            // Pingora would write a last chunk for the empty piece, and then another one.
            *body = None;
        }
        if let Some(attempt) = &mut ctx.attempt {
            attempt.body_pieces = attempt.body_pieces.saturating_add(1);
        }
        self.keep_pace(body.as_ref().map_or(0, Bytes::len), end_of_stream, ctx)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let reached = ctx.attempt.as_ref().and_then(|attempt| attempt.reached.as_ref());
        let failed = facts::connecting(&error, reached);
        let retry = try_next_address(session, ctx, &failed) || fail_attempt(session, ctx, failed, facts::cause(&error));
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
        let status = ctx.attempt.as_mut().and_then(|attempt| attempt.failed_status.take());
        if *error.esource() != ErrorSource::Upstream && status.is_none() {
            error.set_retry(false);
            return error;
        }
        if *error.etype() == ErrorType::ReadTimedout && waits_for_client(session, ctx) {
            // The upstream could not answer an incomplete request: the client is late.
            ctx.failure = Some(Failure::RequestTimeout);
            error.set_retry(false);
            return error;
        }
        let progress = progress(session, &error);
        let failed = facts::proxying(&error, status, progress, reused);
        let retry = fail_attempt(session, ctx, failed, facts::cause(&error));
        error.set_retry(retry);
        error
    }

    /// Turns a status that the route counts as a failed attempt into an error, if another attempt may follow.
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        if let Some(why) = response::refusal(response, session.is_upgrade_req()) {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up());
        }
        let status = response.status.as_u16();
        if response.status.is_informational() && status != 101 {
            // An interim response: the final one is still to come.
            return Ok(());
        }
        let route = ctx.route().filter(|route| route.retry.on_status.contains(&status));
        let allowed = route.map(|route| route.retry.attempts);
        let retries = allowed.is_some_and(|allowed| retry::may_retry(question(session, ctx, allowed, Progress::Sent)));
        let Ok((attempt, served)) = ctx.current() else { return Ok(()) };
        if !retries {
            attempt.answered(&served.tenant);
            return Ok(());
        }
        attempt.failed_status = Some(status);
        Err(Error::explain(ErrorType::HTTPStatus(status), "the route retries on this status").into_up())
    }

    /// Prepares a response's head for the client.
    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        if response::prepare(response, session.req_header().version)? == Persistence::Close {
            announce_close(session);
        }
        let status = response.status.as_u16();
        if let Some(phase) = ctx.connection.as_ref().and_then(|connection| connection.phase()) {
            if status == 101 {
                phase.enter(Phase::Raw);
            }
            if status == 101 || status >= 200 {
                phase.answer();
            }
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Context,
    ) -> Result<Option<Duration>> {
        if let Some(streams) = ctx.connection.as_ref().and_then(|connection| connection.streams()) {
            streams.pass(body.as_ref().map_or(0, Bytes::len));
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Context) -> FailToProxy {
        let refusal = ctx.connection.as_ref().and_then(|connection| connection.refusal());
        let cause = || refusal.map_or_else(|| facts::elsewhere(error), Failure::Door);
        let status = match final_status(session) {
            // The client already has an answer, or part of one; no other can be sent.
            Some(status) => status,
            None => {
                let failure = ctx.failure.take().unwrap_or_else(cause);
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
            ctx.failure = Some(cause());
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Context) {
        if let Ok((attempt, served)) = ctx.current() {
            attempt.complete(&served.tenant);
        }
        self.count(session, ctx);
        if self.access.is_on() {
            access_record::write(&self.access, session, ctx);
        }
    }

    /// Suppressed: the access log has every failure, with its cause.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Context, _error: &Error) -> bool {
        true
    }

    /// Suppressed: the access log has every failed attempt.
    fn suppress_proxy_warn_log(&self, _: &Session, _: &Context, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }
}

/// Whether the upstream could not answer yet, because the client has not sent the whole request.
fn waits_for_client(session: &mut Session, ctx: &Context) -> bool {
    /// Most pieces that are queued between client and upstream. If fewer were forwarded, the queue is not full, so the
    /// upstream does not block.
    const QUEUED: usize = 4;
    if session.as_downstream_mut().is_body_done() {
        return false;
    }
    match ctx.connection.as_ref().and_then(|connection| connection.phase()) {
        Some(phase) => phase.awaits_body(),
        // Over HTTP/2, a client that stopped sending looks the same as an upstream that stopped reading.
        None => ctx.attempt.as_ref().is_none_or(|attempt| attempt.body_pieces < QUEUED),
    }
}

/// Longest wait for the body of a request over HTTP/2 whose client expects 100 (RFC 9110, section 10.1.1). Chosen: well
/// above the one second after which curl sends its body without a response.
const EXPECTATION: Duration = Duration::from_secs(3);

fn is_expecting_over_http2(session: &Session) -> bool {
    let request = session.req_header();
    request.version == Version::HTTP_2 && request.headers.contains_key(EXPECT)
}

/// Whether a client that announced a body begins to send it. The bytes read stay in the retry buffer, which each
/// attempt sends first.
async fn first_piece_comes(session: &mut Session) -> bool {
    session.as_downstream_mut().enable_retry_buffering();
    let piece = session.as_downstream_mut().read_request_body();
    matches!(tokio::time::timeout(EXPECTATION, piece).await, Ok(Ok(_)))
}

/// Whether `connection` contains `close` after its first line, which is the only one that Pingora reads.
fn asks_to_close(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter().skip(1);
    let mut tokens = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// Ends Pingora's loop over attempts; `Context` holds the failure that the client gets.
fn stop() -> Box<Error> {
    Error::explain(ErrorType::Custom("pointsman"), "no further attempt").into_in()
}
