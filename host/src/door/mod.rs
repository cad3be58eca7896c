//! Downstream connections and their listeners: bounds on number and time, TLS, and the check that requests are
//! well-formed before they are routed.

mod accept;
mod admission;
mod app;
mod clock;
mod connection;
mod farewell;
mod http2;
mod http2_streams;
mod listener;
mod pending;
mod report;
mod stream;
mod tls;
mod wire;

pub use accept::Acceptor;
pub use admission::{Admission, Slots};
pub use app::Door;
pub use connection::{CONNECTION, Connection, Phase};
pub use http2::options as http2_options;
pub use listener::Listener;
pub use pending::Pending;
pub use tls::{Certificate, ServedCertificate, TlsAcceptor, TlsError};
