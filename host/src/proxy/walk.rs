//! Pingora's phases, each taking the steps that belong to it.

use std::os::fd::RawFd;
use std::time::Instant;

use async_trait::async_trait;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use crate::answer::Failure;
use crate::ask::Wanted;
use crate::door::{CONNECTION, Phase};
use crate::proxy::context::{Context, Next};
use crate::proxy::failed::{note_attempt, progress, question, try_next_address};
use crate::proxy::steps::{Proxy, announce_close};
use crate::proxy::{attempt, forwarded, head, record, rewrite, write};
use crate::retry::{self, Progress};

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    /// Called when a request's head is complete.
    fn new_ctx(&self) -> Context {
        // Counted here before it is not counted as a head any more.
        let in_flight = self.in_flight.enter();
        let connection = CONNECTION.try_with(Clone::clone).ok();
        if let Some(watch) = connection.as_ref().and_then(|connection| connection.watch.as_ref()) {
            watch.enter(Phase::Beyond);
        }
        Context::new(connection, in_flight)
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
        match self.decide(ctx).await {
            Ok(Wanted::Connect(route)) => {
                ctx.route = Some(route);
                ctx.next = Next::Route;
                Ok(true)
            }
            Ok(Wanted::Respond(response)) => {
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

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        _descriptor: RawFd,
        connection: Option<&Digest>,
        _ctx: &mut Context,
    ) -> Result<()> {
        attempt::agreed(connection)
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
        let route = ctx.route.as_ref().filter(|route| route.retry.on_status.contains(&status));
        let allowed = route.map(|route| route.retry.attempts);
        let retries =
            allowed.is_some_and(|allowed| retry::may_retry(question(session, ctx.attempts, allowed, Progress::Sent)));
        if !retries {
            // Those below 200 come before the response; 101 is one.
            if let Some(served) = ctx.served.as_ref().filter(|_| status >= 200 || status == 101) {
                served.tenant.metrics.attempt_answered();
                if let Some(under_way) = &ctx.under_way {
                    under_way.answered(Instant::now());
                }
            }
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
        self.count(session, ctx);
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

/// Ends Pingora's loop over attempts; `Context` holds what the client is told.
fn stop() -> Box<Error> {
    Error::explain(ErrorType::Custom("pointsman"), "no further attempt").into_in()
}
