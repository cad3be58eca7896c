//! The types of a checked configuration: addresses parsed, times as `Duration`, names unique.
//!
//! Nothing here reads TOML (`read` does), and every default except those of limits is a constant of these files, which
//! `docs/configuration.md` repeats and a test compares.

mod tenant;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use ipnet::IpNet;

pub use tenant::{
    BreakerConfig, FailureAnswer, Fallback, FallbackPeer, Grants, GroupConfig, HealthCheckConfig, HostPattern,
    Matching, ModuleConfig, Probe, Quota, ReleaseConfig, Share, Stage, TcpKeepalive, TenantConfig, UpstreamDefaults,
    Warm, WhileSlow,
};

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub proxy: ProxyConfig,
    pub log: LogConfig,
    pub resolver: ResolverConfig,
    /// None: there is no admin listener.
    pub admin: Option<AdminConfig>,
    pub listeners: Vec<ListenerConfig>,
    pub credentials: Vec<CredentialConfig>,
    pub tenants: Vec<TenantConfig>,
}

impl Config {
    /// The addresses that the proxy listens on, the admin listener's included.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.listeners.iter().map(|listener| listener.address);
        listeners.chain(self.admin.iter().filter_map(|admin| admin.address)).collect()
    }

    /// The Unix sockets of the proxy itself.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let admin = self.admin.as_ref().and_then(|admin| admin.socket.clone());
        admin.into_iter().chain(self.proxy.upgrade_socket.clone()).collect()
    }
}

/// `[proxy]`: settings of the whole process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyConfig {
    /// Worker threads. Default: one per core.
    pub threads: usize,
    /// Idle upstream connections kept for reuse, all tenants together.
    pub idle_connections: usize,
    /// Trust roots for upstream certificates, instead of the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Whether the proxy's own failures carry the `pointsman-error` response header.
    pub error_header: bool,
    /// How long requests in flight may go on after SIGTERM or SIGQUIT.
    pub shutdown_timeout: Duration,
    /// Whether module files are watched, and reloaded when they change.
    pub watch: bool,
    /// Folder in which compiled modules are kept. None: they are not kept.
    pub cache_dir: Option<PathBuf>,
    /// Most bytes that compiled modules may take in `cache_dir`.
    pub cache_bytes: u64,
    /// Folder that records which version served each tenant last. None: not recorded.
    pub state_dir: Option<PathBuf>,
    /// Socket over which a process hands its listeners to the one that replaces it. Its path has at most
    /// `UPGRADE_SOCKET_BYTES` bytes.
    pub upgrade_socket: Option<PathBuf>,
    /// Most concurrent client connections. None: as many as the limit of file descriptors leaves room for.
    pub max_connections: Option<usize>,
    /// Memory of the process above which new work is refused, in bytes. None: four fifths of the memory of the machine
    /// or the container.
    pub memory: Option<u64>,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        ProxyConfig {
            threads: available_parallelism().map_or(1, usize::from),
            idle_connections: ProxyConfig::IDLE_CONNECTIONS,
            ca_file: None,
            error_header: ProxyConfig::ERROR_HEADER,
            shutdown_timeout: ProxyConfig::SHUTDOWN_TIMEOUT,
            watch: ProxyConfig::WATCH,
            cache_dir: None,
            cache_bytes: ProxyConfig::CACHE_BYTES,
            state_dir: None,
            upgrade_socket: None,
            max_connections: None,
            memory: None,
        }
    }
}

impl ProxyConfig {
    pub const IDLE_CONNECTIONS: usize = 1024;
    pub const ERROR_HEADER: bool = true;
    pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
    pub const WATCH: bool = true;
    pub const CACHE_BYTES: u64 = 1024 * 1024 * 1024;
    /// Longest address of a Unix socket.
    pub const UPGRADE_SOCKET_BYTES: usize = 107;
    /// Most listeners that one process hands to another, and the bytes of their names, separated by spaces.
    pub const HANDED_OVER: usize = 32;
    pub const HANDED_OVER_NAME_BYTES: usize = 2048;
}

/// `[log]`
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    pub level: LogLevel,
    pub format: LogFormat,
    pub access: AccessLog,
}

impl LogConfig {
    pub const LEVEL: LogLevel = LogLevel::Info;
    pub const FORMAT: LogFormat = LogFormat::Text;
    pub const ACCESS: AccessLog = AccessLog::Stdout;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Destination of the access log. Diagnostics always go to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    Stdout,
    File(PathBuf),
}

/// `[resolver]`: how names in peer records are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverConfig {
    /// Name servers. None: those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// Consulted before any name server. None: `/etc/hosts`, if it exists.
    pub hosts_file: Option<PathBuf>,
    pub families: Families,
    /// Longest time to resolve a name, all queries together.
    pub timeout: Duration,
    /// Most names whose answers are cached.
    pub cache_entries: u64,
    /// Bounds for how long an answer is cached, whatever its TTL.
    pub min_ttl: Duration,
    pub max_ttl: Duration,
    /// Longest time that a negative answer ("no such name") is cached.
    pub negative_ttl: Duration,
    /// How long an expired answer may be used while the name servers fail. Zero: not at all.
    pub stale: Duration,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        ResolverConfig {
            servers: Vec::new(),
            hosts_file: None,
            families: Families::Both,
            timeout: Duration::from_secs(2),
            cache_entries: 4096,
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(30),
            stale: Duration::from_secs(3600),
        }
    }
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    Both,
    Ipv4,
    Ipv6,
}

/// `[admin]`: the listener for metrics and the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// A Unix socket that only the user whom the proxy runs as may open.
    pub socket: Option<PathBuf>,
    /// Serves metrics to everybody, and the API to clients that have the token.
    pub address: Option<SocketAddr>,
    /// A file with the token. None: the API is on the socket only.
    pub token_file: Option<PathBuf>,
    /// Hostnames by which clients reach `address`, in lower case.
    pub hosts: Vec<String>,
}

impl AdminConfig {
    /// The socket if neither a socket nor an address is given, next to the configuration file.
    pub const SOCKET: &str = "pointsman.sock";
    /// Name of the listener on `address`. No `[[listener]]` can have this name.
    pub const LISTENER: &str = "(admin)";
}

/// `[[listener]]`
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerConfig {
    /// Unique. A module reads it as `request.listener`.
    pub name: String,
    /// Port 0: any free port; the log names it.
    pub address: SocketAddr,
    pub tls: Option<ListenerTls>,
    /// Whether HTTP/2 without TLS (prior knowledge) is accepted. Meaningless together with `tls`, and refused.
    pub h2c: bool,
    /// Largest request head, in bytes: request line and headers.
    pub max_head_bytes: usize,
    /// Longest time from an accepted connection (with TLS: from the end of its handshake) to its first byte.
    pub first_byte_timeout: Duration,
    /// Longest time from the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// Longest time that a connection may be idle between requests.
    pub keepalive_timeout: Duration,
    /// How long the proxy waits for a request's body, not counting the time that bytes earn back at `body_rate`.
    pub body_timeout: Duration,
    /// Least rate of a request's body, in bytes per second. 0: none.
    pub body_rate: u64,
    /// How long the proxy waits for a client that does not read.
    pub send_timeout: Duration,
    /// Most requests on one connection.
    pub max_requests: u64,
    /// Age at which a connection closes, after its current request.
    pub max_age: Duration,
    /// How long a client may go on sending after the proxy closed its side. Zero: not at all.
    pub linger: Duration,
    /// Most concurrent connections. None: as many as the process may have.
    pub max_connections: Option<usize>,
    /// Most concurrent connections of one client: an IPv4 address, or an IPv6 network of 64 bits. None: half of the
    /// process's.
    pub max_connections_per_client: Option<usize>,
    pub http2: Http2Config,
    pub forwarded: ForwardedConfig,
}

impl ListenerConfig {
    pub const H2C: bool = true;
    pub const MAX_HEAD_BYTES: usize = 64 * 1024;
    pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
    pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
    pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(60);
    pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
    pub const BODY_RATE: u64 = 500;
    pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);
    pub const MAX_REQUESTS: u64 = 10_000;
    pub const MAX_AGE: Duration = Duration::from_secs(3600);
    pub const LINGER: Duration = Duration::from_secs(5);

    /// A listener with the defaults, without TLS.
    pub fn new(name: String, address: SocketAddr) -> ListenerConfig {
        ListenerConfig {
            name,
            address,
            tls: None,
            h2c: ListenerConfig::H2C,
            max_head_bytes: ListenerConfig::MAX_HEAD_BYTES,
            first_byte_timeout: ListenerConfig::FIRST_BYTE_TIMEOUT,
            head_timeout: ListenerConfig::HEAD_TIMEOUT,
            keepalive_timeout: ListenerConfig::KEEPALIVE_TIMEOUT,
            body_timeout: ListenerConfig::BODY_TIMEOUT,
            body_rate: ListenerConfig::BODY_RATE,
            send_timeout: ListenerConfig::SEND_TIMEOUT,
            max_requests: ListenerConfig::MAX_REQUESTS,
            max_age: ListenerConfig::MAX_AGE,
            linger: ListenerConfig::LINGER,
            max_connections: None,
            max_connections_per_client: None,
            http2: Http2Config::default(),
            forwarded: ForwardedConfig::default(),
        }
    }
}

/// HTTP/2 towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2Config {
    /// Most concurrent streams of one connection.
    pub max_streams: u32,
    /// Bytes of a response that one stream buffers for a client that does not read.
    pub send_buffer_bytes: usize,
    /// Bytes of a request's body that a client may send before the proxy has read any.
    pub stream_window_bytes: u32,
    /// Like `stream_window_bytes`, for all streams of a connection together.
    pub connection_window_bytes: u32,
}

impl Default for Http2Config {
    fn default() -> Self {
        Http2Config {
            max_streams: 100,
            send_buffer_bytes: 64 * 1024,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 4 * 1024 * 1024,
        }
    }
}

/// `[listener.forwarded]`: the headers that tell upstreams about the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedConfig {
    /// Proxies in front of this one, whose `x-forwarded-*` and `forwarded` headers are trusted.
    pub trusted: Vec<IpNet>,
    /// Whether `x-forwarded-for`, `-host` and `-proto` are set.
    pub x_forwarded: bool,
    /// Whether `forwarded` is set.
    pub forwarded: bool,
    /// Whether `via` is set (RFC 9110, section 7.6.3).
    pub via: bool,
}

impl Default for ForwardedConfig {
    fn default() -> Self {
        ForwardedConfig { trusted: Vec::new(), x_forwarded: true, forwarded: false, via: true }
    }
}

/// `[listener.tls]`: PEM files. ALPN offers `h2` and `http/1.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Longest time for a whole handshake.
    pub handshake_timeout: Duration,
}

impl ListenerTls {
    pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
}

/// `[[ca]]` or `[[client_cert]]`: certificates that modules may name if they are granted, but never see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialConfig {
    /// Unique.
    pub name: String,
    pub files: CredentialFiles,
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialFiles {
    /// Trust roots for upstream certificates.
    Ca(PathBuf),
    /// The proxy's client certificate for upstreams: a certificate chain, the leaf first, and its key.
    Client { certificate: PathBuf, key: PathBuf },
}
