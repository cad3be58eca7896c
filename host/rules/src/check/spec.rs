//! The results of a check, called specs. All fields can be read through `Deref`; only this room can make one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Serialize, Serializer};

use crate::check::CredentialSpec;
use crate::config::TcpKeepalive;
use crate::contract::{Alpn, Quirks, Upgrade, Verify};

/// A value that passed `check`. The field is private to this room, so that no other code can make one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Checked<T>(pub(super) T);

impl<T> Checked<T> {
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Checked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

pub type RouteSpec = Checked<RouteFields>;
pub type PeerSpec = Checked<PeerFields>;
pub type ConnectionSpec = Checked<ConnectionFields>;
pub type RewriteSpec = Checked<RewriteFields>;
pub type RetrySpec = Checked<RetryFields>;
pub type ResponseSpec = Checked<ResponseFields>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteFields {
    pub peer: PeerSpec,
    pub rewrite: RewriteSpec,
    pub retry: RetrySpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerFields {
    pub connection: ConnectionSpec,
    pub timeouts: TimeoutSpec,
}

/// The identity of a connection: all of a peer except its timeouts. Peers with equal fields may share a pooled
/// connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConnectionFields {
    #[serde(rename = "address")]
    pub target: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_proxy: Option<ConnectProxySpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_to: Option<BindSpec>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "keepalive")]
    pub tcp_keepalive: Option<TcpKeepalive>,
    pub http: HttpSpec,
    pub socket: SocketSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
}

impl ConnectionFields {
    /// The address that this host itself connects to: the CONNECT proxy if there is one, else the target.
    pub fn next_hop(&self) -> &Target {
        self.connect_proxy.as_ref().map_or(&self.target, |proxy| &proxy.address)
    }
}

/// The destination of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// IPv4-mapped IPv6 addresses are IPv4 addresses here.
    Socket(SocketAddr),
    /// In lower case, without a trailing dot.
    Name { host: String, port: u16 },
    /// Absolute, without control characters, at most 107 bytes.
    Unix(PathBuf),
}

/// In the form that a module writes.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Socket(address) => address.fmt(f),
            Target::Name { host, port } => write!(f, "{host}:{port}"),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsSpec {
    /// In lower case. None only with `Verify::None`.
    #[serde(rename = "sni")]
    pub server_name: Option<String>,
    #[serde(serialize_with = "verify")]
    pub verify: Verify,
    #[serde(rename = "alternative-cn", skip_serializing_if = "Option::is_none")]
    pub alternative_name: Option<String>,
    /// Trust roots instead of the proxy's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<CredentialSpec>,
    #[serde(rename = "client-cert", skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CredentialSpec>,
    /// Key exchange groups in OpenSSL's list format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curves: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConnectProxySpec {
    pub address: Target,
    /// Values may hold credentials, so they are not serialized.
    #[serde(serialize_with = "names_only")]
    pub headers: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BindSpec {
    /// Port 0: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range: Option<(u16, u16)>,
    pub fallback: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HttpSpec {
    #[serde(serialize_with = "alpn")]
    pub alpn: Alpn,
    pub max_h2_streams: u32,
    #[serde(
        rename = "h2-ping-interval-ms",
        serialize_with = "optional_milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub h2_ping_interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h2_stream_window: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h2_connection_window: Option<u32>,
    #[serde(serialize_with = "upgrade")]
    pub upgrade: Upgrade,
    #[serde(skip_serializing_if = "Quirks::is_empty")]
    pub quirks: Quirks,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SocketSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_recv_buf: Option<u32>,
    pub tcp_fast_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TimeoutSpec {
    #[serde(rename = "connect-ms", serialize_with = "milliseconds")]
    pub connect: Duration,
    #[serde(rename = "total-connect-ms", serialize_with = "milliseconds")]
    pub total_connect: Duration,
    #[serde(rename = "read-ms", serialize_with = "milliseconds")]
    pub read: Duration,
    #[serde(rename = "write-ms", serialize_with = "milliseconds")]
    pub write: Duration,
    /// Zero: the connection is not kept for reuse.
    #[serde(rename = "idle-ms", serialize_with = "milliseconds")]
    pub idle: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RewriteFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_and_query: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "header_names")]
    pub remove_headers: Vec<HeaderName>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "header_list")]
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "header_list")]
    pub add_headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RetryFields {
    /// Most attempts of this request, the first included.
    pub attempts: u32,
    /// Sorted, without duplicates.
    pub on_status: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResponseFields {
    #[serde(serialize_with = "status")]
    pub status: StatusCode,
    #[serde(serialize_with = "header_list")]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    #[serde(serialize_with = "lossy")]
    pub body: Vec<u8>,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*duration))
}

fn optional_milliseconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(millis).serialize(serializer)
}

fn keepalive<S: Serializer>(keepalive: &Option<TcpKeepalive>, serializer: S) -> Result<S::Ok, S::Error> {
    keepalive
        .map(|keepalive| {
            BTreeMap::from([
                ("idle-s", keepalive.idle.as_secs()),
                ("interval-s", keepalive.interval.as_secs()),
                ("count", keepalive.count.into()),
                ("user-timeout-ms", millis(keepalive.user_timeout)),
            ])
        })
        .serialize(serializer)
}

fn verify<S: Serializer>(verify: &Verify, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match verify {
        Verify::Full => "full",
        Verify::ChainOnly => "chain-only",
        Verify::None => "none",
    })
}

fn alpn<S: Serializer>(alpn: &Alpn, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match alpn {
        Alpn::H1 => "h1",
        Alpn::H2 => "h2",
        Alpn::H2h1 => "h2h1",
    })
}

fn upgrade<S: Serializer>(upgrade: &Upgrade, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match upgrade {
        Upgrade::Websocket => "websocket",
        Upgrade::Any => "any",
        Upgrade::Deny => "deny",
    })
}

fn status<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

fn lossy<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&String::from_utf8_lossy(bytes))
}

fn names_only<S: Serializer>(headers: &BTreeMap<String, Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.keys())
}

fn header_names<S: Serializer>(names: &[HeaderName], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(HeaderName::as_str))
}

fn header_list<S: Serializer>(headers: &[(HeaderName, HeaderValue)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))),
    )
}
