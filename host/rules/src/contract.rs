//! The contract's plain types: the records of `wit/`, independent of the WIT version and not yet checked.
//!
//! The `abi` of a WIT version converts them from and to the types that are generated from its package. Units and limits
//! are those of the WIT comments. Only `check` turns a [`Decision`] into a value that the rest of the program trusts.

use bitflags::bitflags;
use serde::{Deserialize, Serialize, Serializer};

/// WIT: `types.decision`.
#[expect(clippy::large_enum_variant, reason = "nearly all connect, and whoever keeps one boxes it")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub enum Decision {
    Connect(Route),
    Respond(Response),
    Pass,
}

/// WIT: `types.route`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Route {
    pub peer: Peer,
    pub rewrite: Rewrite,
    pub retry: RetryPolicy,
    pub note: Option<String>,
}

/// WIT: `types.response`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<Header>,
    pub body: Vec<u8>,
}

/// WIT: `types.header`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Header {
    pub name: String,
    pub value: Vec<u8>,
}

/// WIT: `types.peer`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Peer {
    pub address: String,
    pub tls: Option<Tls>,
    pub connect_proxy: Option<ConnectProxy>,
    pub bind_to: Option<BindTo>,
    pub timeouts: Timeouts,
    pub tcp_keepalive: Option<TcpKeepalive>,
    pub http: HttpOptions,
    pub socket: SocketOptions,
    pub isolation: Option<String>,
}

/// WIT: `types.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tls {
    pub sni: Option<String>,
    pub verify: Verify,
    pub alternative_cn: Option<String>,
    pub ca: Option<String>,
    pub client_cert: Option<String>,
    pub curves: Option<String>,
    pub second_key_share: Option<bool>,
}

/// WIT: `types.verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Verify {
    Full,
    ChainOnly,
    None,
}

/// WIT: `types.connect-proxy`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ConnectProxy {
    pub address: String,
    pub headers: Vec<Header>,
}

/// WIT: `types.bind-to`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct BindTo {
    pub address: Option<String>,
    pub port_range: Option<(u16, u16)>,
    pub fallback: bool,
}

/// WIT: `types.timeouts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Timeouts {
    pub connect_ms: Option<u32>,
    pub total_connect_ms: Option<u32>,
    pub read_ms: Option<u32>,
    pub write_ms: Option<u32>,
    pub idle_ms: Option<u32>,
}

/// WIT: `types.tcp-keepalive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TcpKeepalive {
    pub idle_s: u32,
    pub interval_s: u32,
    pub count: u32,
    pub user_timeout_ms: u32,
}

/// WIT: `types.http-options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct HttpOptions {
    pub alpn: Alpn,
    pub max_h2_streams: Option<u32>,
    pub h2_ping_interval_ms: Option<u32>,
    pub h2_stream_window: Option<u32>,
    pub h2_connection_window: Option<u32>,
    pub upgrade: Upgrade,
    pub quirks: Quirks,
}

/// WIT: `types.alpn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Alpn {
    H1,
    H2,
    H2h1,
}

/// WIT: `types.upgrade`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Upgrade {
    Websocket,
    Any,
    Deny,
}

bitflags! {
    /// WIT: `types.quirks`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Quirks: u8 {
        const KEEP_HOP_BY_HOP = 1;
        const KEEP_CONNECTION_NOMINATED = 1 << 1;
        const ACCEPT_MALFORMED_CONNECTION = 1 << 2;
        const ACCEPT_INVALID_CONTENT_LENGTH = 1 << 3;
    }
}

/// WIT: `types.socket-options`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct SocketOptions {
    pub dscp: Option<u8>,
    pub tcp_recv_buf: Option<u32>,
    pub tcp_fast_open: bool,
}

/// WIT: `types.rewrite`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Rewrite {
    pub authority: Option<String>,
    pub path_and_query: Option<String>,
    pub remove_headers: Vec<String>,
    pub set_headers: Vec<Header>,
    pub add_headers: Vec<Header>,
}

/// WIT: `types.retry-policy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct RetryPolicy {
    pub attempts: Option<u32>,
    pub on_status: Vec<u16>,
}

/// WIT: `types.attempt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attempt {
    pub number: u32,
    pub address: String,
    pub stage: Stage,
    pub failure: Failure,
    pub status: Option<u16>,
    pub reused_connection: bool,
    pub request_sent: bool,
    pub elapsed_ms: u32,
    pub detail: String,
}

/// WIT: `types.stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Resolve,
    Connect,
    ConnectProxy,
    Tls,
    Send,
    Receive,
    Other,
}

/// WIT: `types.failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    Timeout,
    Refused,
    Unreachable,
    Closed,
    Certificate,
    Protocol,
    ProxyRefused,
    Status,
    Other,
}

/// WIT: `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// WIT: `shared.error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedError {
    Full,
    TooLong,
    OtherKind,
    Overflow,
    Other,
}

/// WIT: `upstreams.health`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// WIT: `upstreams.upstream`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Upstream {
    pub address: String,
    pub health: Health,
    pub in_flight: u32,
    pub latency_us: Option<u32>,
    pub failures: u32,
}

/// A module's unchecked answer: a decision, or a key to one that was checked before.
#[derive(Debug)]
pub enum RawAnswer<K> {
    /// A `connect` whose bytes match a known answer, so that it was not lifted again.
    Known(K),
    Decision {
        decision: Box<Decision>,
        /// The bytes by which the next equal answer is recognized, if the answer has such a key.
        record: Option<Box<[u8]>>,
    },
}

impl<K> RawAnswer<K> {
    /// The case's name in the WIT package.
    pub fn name(&self) -> &'static str {
        let decision = match self {
            RawAnswer::Known(_) => return "connect",
            RawAnswer::Decision { decision, .. } => &**decision,
        };
        match decision {
            Decision::Connect(_) => "connect",
            Decision::Respond(_) => "respond",
            Decision::Pass => "pass",
        }
    }
}

// Case names as in the WIT package, for logs and the command line.

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

impl SharedError {
    pub fn name(self) -> &'static str {
        match self {
            SharedError::Full => "full",
            SharedError::TooLong => "too-long",
            SharedError::OtherKind => "other-kind",
            SharedError::Overflow => "overflow",
            SharedError::Other => "other",
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

    /// The names of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Quirks::NAMED.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl Serialize for Quirks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl Tls {
    /// TLS with full verification: the server must prove that it has this name.
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
    /// A route to this address, with nothing else set.
    pub fn to(address: &str) -> Route {
        Route {
            peer: Peer {
                address: address.to_owned(),
                tls: None,
                connect_proxy: None,
                bind_to: None,
                timeouts: Timeouts::default(),
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
                socket: SocketOptions::default(),
                isolation: None,
            },
            rewrite: Rewrite::default(),
            retry: RetryPolicy::default(),
            note: None,
        }
    }
}
