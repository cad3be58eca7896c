//! What was asked? Connections and their listeners: bounded in number and in time, TLS, and requests that are
//! well-formed before anything routes on them.

mod accept;
mod admission;
mod app;
mod clock;
mod connection;
mod farewell;
mod http2;
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
