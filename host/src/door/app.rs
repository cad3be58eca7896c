//! Where connections come in: Pingora hands each accepted connection to a `Door`, which puts it under its listener's
//! rules and passes it on to the proxy.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::protocols::{ALPN, Stream};
use pingora::proxy::{HttpProxy, ProxyHttp};
use pingora::server::ShutdownWatch;

use crate::door::heads::Heads;
use crate::door::listener::Listener;
use crate::door::stream::DoorStream;
use crate::door::watch::{CONNECTION, Connection, HeadWatch, Phase};

/// One listener's way into the proxy that all listeners share, and with it one pool of upstream connections.
pub struct Door<P> {
    listener: Arc<Listener>,
    /// Of all listeners, as the proxy is.
    heads: Arc<Heads>,
    hall: Arc<Hall<P>>,
}

/// Behind the door: the connection is under its rules, its protocol is known.
struct Hall<P> {
    listener: Arc<Listener>,
    proxy: Arc<HttpProxy<P>>,
    options: HttpServerOptions,
    h2_options: H2Options,
}

impl<P> Door<P> {
    pub fn new(listener: Arc<Listener>, proxy: Arc<HttpProxy<P>>, heads: Arc<Heads>) -> Door<P> {
        let mut options = HttpServerOptions::default();
        options.h2c = listener.h2c;
        options.h2_idle_timeout = Some(listener.keepalive_timeout);
        // Pingora's own limits hold only as long as no options are given, so start from them.
        let mut h2_options = default_h2_options();
        h2_options.max_header_list_size(u32::try_from(listener.max_head_bytes).unwrap_or(u32::MAX));
        let hall = Arc::new(Hall { listener: listener.clone(), proxy, options, h2_options });
        Door { listener, heads, hall }
    }
}

#[async_trait]
impl<P> ServerApp for Door<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let watch = Arc::new(HeadWatch::new(self.heads.clone()));
        if stream.selected_alpn_proto() == Some(ALPN::H2) {
            watch.enter(Phase::Beyond);
        }
        let connection = Connection { listener: self.listener.clone(), watch: Some(watch.clone()) };
        let stream: Stream = Box::new(DoorStream::new(stream, self.listener.clone(), watch));
        CONNECTION.scope(connection, ServerApp::process_new(&self.hall, stream, shutdown)).await
    }

    async fn cleanup(&self) {
        // From then on Pingora ends every connection that waits for a request, also for its first.
        self.heads.are_in().await;
        self.hall.http_cleanup().await;
    }
}

#[async_trait]
impl<P> HttpServerApp for Hall<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    // Written out, so that the proxy's future is handed on as it is: one of our own around it would cost each request a
    // large allocation and two moves of the session.
    fn process_new_http<'life0, 'life1, 'async_trait>(
        self: &'life0 Arc<Self>,
        mut session: ServerSession,
        shutdown: &'life1 ShutdownWatch,
    ) -> Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        if session.as_http2().is_some() {
            // HTTP/2 streams run in tasks of their own, outside the scope that `Door` set. They are told of the end.
            let connection = Connection { listener: self.listener.clone(), watch: None };
            return Box::pin(CONNECTION.scope(connection, self.proxy.process_new_http(session, shutdown)));
        }
        if session.get_keepalive().is_some() {
            session.set_keepalive(Some(self.listener.keepalive_seconds()));
        }
        let _ = CONNECTION.try_with(|connection| {
            if let Some(watch) = &connection.watch {
                watch.enter(Phase::Idle);
            }
        });
        self.proxy.process_new_http(session, shutdown)
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.h2_options.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
