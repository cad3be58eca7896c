//! Creates the doors of the configured listeners.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use pingora::apps::HttpServerApp;
use pingora::server::ShutdownWatch;
use pointsman_rules::config::{AdminConfig, Config, ListenerConfig};
use pointsman_rules::request::AnswerForm;
use pointsman_system::memory::MemoryWatch;

use crate::admin::Admin;
use crate::door::{Admission, Door, Listener, Pending, Slots, TlsAcceptor, http2_options};
use crate::log::AccessLogger;
use crate::metrics::{ListenerMetrics, Metrics};
use crate::server::limits::Descriptors;

/// A door that accepts connections once it is run.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The parts that all doors share.
pub struct Doors<'a> {
    pub config: &'a Config,
    pub descriptors: Descriptors,
    pub access: AccessLogger,
    pub metrics: Arc<Metrics>,
    pub watch: ShutdownWatch,
    pub memory: Arc<MemoryWatch>,
}

/// Concurrent connections to the admin API, on each of its listeners. They have a share of their own, so that an
/// operator gets in when clients have taken all others.
const ADMIN_CONNECTIONS: usize = 64;

impl Doors<'_> {
    /// The door of a listener, into the proxy.
    pub fn to<A>(
        &self,
        app: Arc<A>,
        config: &ListenerConfig,
        tls: Option<TlsAcceptor>,
        slots: Slots,
        pending: Arc<Pending>,
    ) -> Door<A>
    where
        A: HttpServerApp + Send + Sync + 'static,
    {
        let answers = if self.config.proxy.error_header { AnswerForm::Code } else { AnswerForm::StatusOnly };
        let listener = Arc::new(Listener::new(config.clone(), answers));
        let per_client = config.max_connections_per_client.unwrap_or(slots.limit().div_ceil(2));
        let most = config.max_connections.unwrap_or(usize::MAX);
        let metrics = Arc::new(self.metrics.listener(&listener.name));
        let exempt = config.forwarded.trusted.clone();
        let admission = Admission::new(slots, most, per_client, exempt, metrics.clone());
        Door { memory: Some(self.memory.clone()), ..self.door(app, listener, tls, admission, metrics, pending) }
    }

    /// A door of the admin API.
    pub fn to_admin(&self, app: Arc<Admin>) -> Door<Admin> {
        // A door ignores the listener's address, since its socket is bound already.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let config = ListenerConfig { h2c: false, ..ListenerConfig::new(AdminConfig::LISTENER.to_owned(), nowhere) };
        let listener = Listener::new(config, AnswerForm::Json);
        let metrics = Arc::new(self.metrics.listener(&listener.name));
        let slots = Slots::new(ADMIN_CONNECTIONS);
        let admission = Admission::new(slots, usize::MAX, usize::MAX, Vec::new(), metrics.clone());
        self.door(app, Arc::new(listener), None, admission, metrics, Arc::new(Pending::default()))
    }

    fn door<A>(
        &self,
        app: Arc<A>,
        listener: Arc<Listener>,
        tls: Option<TlsAcceptor>,
        admission: Admission,
        metrics: Arc<ListenerMetrics>,
        pending: Arc<Pending>,
    ) -> Door<A>
    where
        A: HttpServerApp + Send + Sync + 'static,
    {
        Door {
            app,
            tls,
            admission,
            pending,
            access: self.access.clone(),
            metrics,
            http2: http2_options(&listener),
            shutdown: self.watch.clone(),
            memory: None,
            listener,
        }
    }
}
