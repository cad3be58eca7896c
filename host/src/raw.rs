//! What a module says, and what it is told: plain data, generated from the WIT package and not yet checked.
//!
//! Only `check` may turn a `raw::Decision` into something that the rest of the program believes.

pub use crate::bindings::pointsman::router::log::Level;
pub use crate::bindings::pointsman::router::request::ClientTls;
pub use crate::bindings::pointsman::router::types::{
    Alpn, Attempt, BindTo, ConnectProxy, Decision, Failure, Header, HttpOptions, Peer, Quirks, Response, RetryPolicy,
    Rewrite, Route, SocketOptions, Stage, TcpKeepalive, Timeouts, Tls, Upgrade, Verify,
};

impl Quirks {
    /// Each flag with its name in the WIT package.
    const NAMED: [(Quirks, &'static str); 4] = [
        (Quirks::KEEP_HOP_BY_HOP, "keep-hop-by-hop"),
        (Quirks::KEEP_CONNECTION_NOMINATED, "keep-connection-nominated"),
        (Quirks::ACCEPT_MALFORMED_CONNECTION, "accept-malformed-connection"),
        (Quirks::ACCEPT_INVALID_CONTENT_LENGTH, "accept-invalid-content-length"),
    ];

    /// The names of the flags that are set.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        Quirks::NAMED.into_iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

// The bindings generator gives flags no derives of ours.

impl serde::Serialize for Quirks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl std::hash::Hash for Quirks {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.names().for_each(|name| name.hash(state));
    }
}
