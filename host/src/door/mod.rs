//! What was asked? Connections and their listeners: bounded in number and in time, TLS, and requests that are well-formed
//! before anything routes on them.

mod accept;
mod admission;
mod app;
mod authority;
mod clock;
mod connection;
mod farewell;
mod head;
mod http1;
mod http2;
mod http2_head;
mod listener;
mod offline;
mod pace;
mod pending;
mod refusal;
mod report;
mod stream;
mod tls;
mod wire;

pub use accept::Acceptor;
pub use admission::{Admission, Slots};
pub use app::Door;
pub use authority::{Authority, Host, parse_authority};
pub use connection::{CONNECTION, Connection, Phase};
pub use head::{Arrival, DownstreamTls, RequestHead, authority};
pub use http2::options as http2_options;
pub use http2_head::check_http2_head;
pub use listener::Listener;
pub use offline::{OfflineError, OfflineRequest, WrittenRequest, attempts};
pub use pace::Pace;
pub use pending::Pending;
pub use refusal::{AnswerForm, Refusal};
pub use tls::{Certificate, ServedCertificate, TlsAcceptor, TlsError};
