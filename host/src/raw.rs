//! What a module says, and what it is told: plain data, generated from the WIT package and not yet checked.
//!
//! Only `check` may turn a `raw::Decision` into something that the rest of the program believes.

pub use crate::bindings::pointsman::router::log::Level;
pub use crate::bindings::pointsman::router::request::ClientTls;
pub use crate::bindings::pointsman::router::shared::Error as SharedError;
pub use crate::bindings::pointsman::router::types::{
    Alpn, Attempt, BindTo, ConnectProxy, Decision, Failure, Header, HttpOptions, Peer, Quirks, Response, RetryPolicy,
    Rewrite, Route, SocketOptions, Stage, TcpKeepalive, Timeouts, Tls, Upgrade, Verify,
};
pub use crate::bindings::pointsman::router::upstreams::{Health, Upstream};

// The names that the WIT package gives to cases, for logs and the command line.

impl Stage {
    pub const ALL: [Stage; 7] =
        [Stage::Resolve, Stage::Connect, Stage::ConnectProxy, Stage::Tls, Stage::Send, Stage::Receive, Stage::Other];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::ConnectProxy => "connect-proxy",
            Stage::Tls => "tls",
            Stage::Send => "send",
            Stage::Receive => "receive",
            Stage::Other => "other",
        }
    }
}

impl Failure {
    pub const ALL: [Failure; 9] = [
        Failure::Timeout,
        Failure::Refused,
        Failure::Unreachable,
        Failure::Closed,
        Failure::Certificate,
        Failure::Protocol,
        Failure::ProxyRefused,
        Failure::Status,
        Failure::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Failure::Timeout => "timeout",
            Failure::Refused => "refused",
            Failure::Unreachable => "unreachable",
            Failure::Closed => "closed",
            Failure::Certificate => "certificate",
            Failure::Protocol => "protocol",
            Failure::ProxyRefused => "proxy-refused",
            Failure::Status => "status",
            Failure::Other => "other",
        }
    }
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

impl Quirks {
    /// Each flag with its name in the WIT package.
    const NAMED: [(Quirks, &'static str); 4] = [
        (Quirks::KEEP_HOP_BY_HOP, "keep-hop-by-hop"),
        (Quirks::KEEP_CONNECTION_NOMINATED, "keep-connection-nominated"),
        (Quirks::ACCEPT_MALFORMED_CONNECTION, "accept-malformed-connection"),
        (Quirks::ACCEPT_INVALID_CONTENT_LENGTH, "accept-invalid-content-length"),
    ];

    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

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

impl Tls {
    /// TLS to a server of this name, which must prove that it is it.
    pub fn verified(sni: Option<String>) -> Tls {
        Tls {
            sni,
            verify: Verify::Full,
            alternative_cn: None,
            ca: None,
            client_cert: None,
            curves: None,
            second_key_share: None,
        }
    }
}

impl Route {
    /// A route with nothing but an address.
    pub fn to(address: &str) -> Route {
        Route {
            peer: Peer {
                address: address.to_owned(),
                tls: None,
                connect_proxy: None,
                bind_to: None,
                timeouts: Timeouts {
                    connect_ms: None,
                    total_connect_ms: None,
                    read_ms: None,
                    write_ms: None,
                    idle_ms: None,
                },
                tcp_keepalive: None,
                http: HttpOptions {
                    alpn: Alpn::H1,
                    max_h2_streams: None,
                    h2_ping_interval_ms: None,
                    h2_stream_window: None,
                    h2_connection_window: None,
                    upgrade: Upgrade::Websocket,
                    quirks: Quirks::empty(),
                },
                socket: SocketOptions { dscp: None, tcp_recv_buf: None, tcp_fast_open: false },
                isolation: None,
            },
            rewrite: Rewrite {
                authority: None,
                path_and_query: None,
                remove_headers: Vec::new(),
                set_headers: Vec::new(),
                add_headers: Vec::new(),
            },
            retry: RetryPolicy { attempts: None, on_status: Vec::new() },
            note: None,
        }
    }
}
