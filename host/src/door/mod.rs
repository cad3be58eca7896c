//! What was asked? Connections, their listeners, and heads that are bounded in size and in time.

mod app;
mod head;
mod heads;
mod listener;
mod offline;
mod stream;
mod tls;
mod watch;

pub use app::Door;
pub use head::{Arrival, DownstreamTls, RequestHead, authority};
pub use heads::Heads;
pub use listener::Listener;
pub use offline::{OfflineError, OfflineRequest, WrittenRequest, attempts};
pub use tls::{Certificate, ServedCertificate, TlsError, tls_settings};
pub use watch::{CONNECTION, Connection, Phase};
