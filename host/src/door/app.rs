//! Accepts and counts a listener's connections, applies the listener's rules to them, and hands them to the
//! application behind it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::protocols::{ALPN, IO, Ssl, Stream};
use pingora::server::ShutdownWatch;
use pointsman_rules::request::DownstreamTls;
use pointsman_system::memory::MemoryWatch;
use tokio::time::timeout;

use crate::door::accept::Acceptor;
use crate::door::admission::{Admission, AdmissionGuard};
use crate::door::connection::{CONNECTION, Connection, HeadPhase, Phase, Protocol};
use crate::door::http2;
use crate::door::http2_streams::Streams;
use crate::door::listener::Listener;
use crate::door::pending::Pending;
use crate::door::report::Reporter;
use crate::door::stream::{ConnectionContext, DoorStream};
use crate::door::tls::TlsAcceptor;
use crate::door::wire::{Reads, Socket, Wire};
use crate::log::AccessLogger;
use crate::metrics::ListenerMetrics;

/// Number of connections after which those that were accepted before get their turn. Each new one takes 0.1 to 1 ms at
/// first (a request, a TLS handshake), so without this a crowd of new clients would delay every request of the others.
const ACCEPTED_BETWEEN_YIELDS: u32 = 8;

/// Connects one listener to an application that several listeners may share: the proxy, or the admin API.
pub struct Door<A> {
    pub listener: Arc<Listener>,
    pub app: Arc<A>,
    pub tls: Option<TlsAcceptor>,
    pub admission: Admission,
    /// Shared by all listeners of the application.
    pub pending: Arc<Pending>,
    pub access: AccessLogger,
    pub metrics: Arc<ListenerMetrics>,
    pub http2: H2Options,
    pub shutdown: ShutdownWatch,
    /// None: connections are accepted whatever the memory use.
    pub memory: Option<Arc<MemoryWatch>>,
}

impl<A> Door<A>
where
    A: HttpServerApp + Send + Sync + 'static,
{
    /// Accepts connections until the shutdown, then waits for requests that are still arriving.
    pub async fn run(self, mut acceptor: Acceptor) {
        let door = Arc::new(self);
        let (mut shutdown, mut since_yield) = (door.shutdown.clone(), 0_u32);
        loop {
            if since_yield == ACCEPTED_BETWEEN_YIELDS {
                since_yield = 0;
                tokio::task::yield_now().await;
            }
            tokio::select! {
                biased;
                changed = shutdown.changed() => if changed.is_err() || *shutdown.borrow() { break },
                accepted = acceptor.accept() => match accepted {
                    Ok((socket, peer)) => {
                        since_yield += 1;
                        door.clone().let_in(socket, peer);
                    }
                    Err(error) => {
                        door.metrics.accept_error();
                        acceptor.log(&door.listener.name, &error);
                    }
                },
            }
        }
        drop(acceptor);
        // After this wait, the application closes every connection that waits for a request, even for its first.
        door.pending.are_in().await;
        door.app.http_cleanup().await;
    }

    fn let_in(self: Arc<Self>, socket: Socket, peer: Option<SocketAddr>) {
        if self.memory.as_ref().is_some_and(|memory| memory.is_full()) {
            return self.metrics.refused_connection("memory");
        }
        match self.admission.enter(peer.map(|peer| peer.ip())) {
            Ok(admitted) => drop(tokio::spawn(async move { self.serve(socket, peer, admitted).await })),
            // Closed at once, rather than left waiting: the client would not know why.
            Err(full) => self.metrics.refused_connection(full.reason()),
        }
    }

    async fn serve(&self, socket: Socket, peer: Option<SocketAddr>, admitted: AdmissionGuard) {
        let at = Instant::now();
        let phase = Arc::new(HeadPhase::new(self.pending.clone()));
        let client = peer.map(|peer| peer.ip().to_canonical());
        let name = self.listener.name.clone();
        let reporter = Arc::new(Reporter::new(name, client, self.access.clone(), self.metrics.clone()));
        let context =
            ConnectionContext { listener: self.listener.clone(), phase, reporter: reporter.clone(), admitted, at };
        match &self.tls {
            None => {
                let stream = DoorStream::new(Wire::new(socket, peer, Reads::Direct), context);
                self.speak(stream, client, None, &reporter).await;
            }
            Some(tls) => {
                let wire = Wire::new(socket, peer, Reads::Records);
                let handshake = async {
                    // OpenSSL takes some 50 KiB for a connection; a client that sends nothing does not cost them.
                    wire.readable().await?;
                    tls.accept(wire).await
                };
                match timeout(tls.timeout, handshake).await {
                    Ok(Ok((stream, facts))) => {
                        reporter.handshake_completed();
                        // The time for the first byte begins when the handshake is complete.
                        let context = ConnectionContext { at: Instant::now(), ..context };
                        self.speak(DoorStream::new(stream, context), client, Some(facts), &reporter).await;
                    }
                    Ok(Err(error)) => reporter.handshake_failed("tls-handshake", &error.to_string()),
                    Err(_) => {
                        let milliseconds = tls.timeout.as_millis();
                        let cause = format!("not complete after {milliseconds} ms (listener.tls.handshake_timeout_ms)");
                        reporter.handshake_failed("tls-handshake-timeout", &cause);
                    }
                }
            }
        }
    }

    async fn speak<S: IO + 'static>(
        &self,
        mut stream: DoorStream<S>,
        client: Option<IpAddr>,
        tls: Option<Arc<DownstreamTls>>,
        reporter: &Arc<Reporter>,
    ) {
        let is_http2 = match (&tls, self.listener.config.h2c) {
            (Some(_), _) => stream.selected_alpn_proto() == Some(ALPN::H2),
            (None, true) => match stream.is_http2().await {
                Ok(is_http2) => is_http2,
                // A timeout is already reported, and answered if a head had begun.
                Err(_) => return,
            },
            (None, false) => false,
        };
        let listener = self.listener.clone();
        if is_http2 {
            stream.make_raw();
            let protocol = Protocol::Http2(Arc::new(Streams::new(reporter.clone())));
            let connection = Arc::new(Connection { listener, client, tls, protocol });
            let options = self.http2.clone();
            http2::serve(&self.app, options, stream, connection, reporter, &self.shutdown).await;
        } else {
            let phase = stream.phase();
            let connection = Arc::new(Connection { listener, client, tls, protocol: Protocol::Http1(phase.clone()) });
            CONNECTION.scope(connection, self.speak_http1(Box::new(stream), &phase)).await;
        }
    }

    /// Serves the connection's requests one after the other.
    async fn speak_http1(&self, stream: Stream, phase: &HeadPhase) {
        let (start, mut requests) = (Instant::now(), 0_u64);
        let mut next = Some(stream);
        while let Some(stream) = next {
            requests = requests.saturating_add(1);
            let mut session = ServerSession::new_http1(stream);
            // The door has its own timers; with keep-alive, Pingora would set another one for each request.
            session.set_keepalive(Some(0));
            session.set_read_timeout(None);
            // A client that has half-closed its connection may still read (RFC 9112, section 9.6).
            session.set_abort_on_close(false);
            if requests >= self.listener.config.max_requests || start.elapsed() >= self.listener.config.max_age {
                session.set_keepalive_reuses_remaining(Some(0));
            }
            if requests > 1 {
                phase.enter(Phase::Idle);
            }
            next = self.app.process_new_http(session, &self.shutdown).await.map(|reused| reused.consume().0);
        }
    }
}
