//! Makes Pingora's `HttpPeer` from a checked spec, in one function that carries over every attribute.

use std::any::Any;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use openssl::ssl::SslRef;
use pingora::connectors::TransportConnector;
use pingora::connectors::l4::BindTo;
use pingora::protocols::TcpKeepalive;
use pingora::upstreams::peer::{
    ALPN, H1UpgradePolicy, HttpPeer, HttpUpstreamRequestPolicy, PeerOptions, Scheme, Tracer,
};
use pointsman_rules::check::{BindSpec, CredentialSpec, HttpSpec, OwnAddresses, PeerSpec, TlsSpec};
use pointsman_rules::checked::Route;
use pointsman_rules::contract::{Alpn, Quirks, Upgrade, Verify};
use pointsman_rules::quota::Count;

use crate::credentials::Credentials;
use crate::peer::tunnel::Tunnel;
use crate::peer::unix::UnixConnector;
use crate::peer::{ConnectProgress, Watch, watch_certificates};
use crate::resolve::Hop;

/// A peer that passed all checks but can't be made.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PeerError {
    #[error("`{field}`: credential `{name}` is gone")]
    NoCredential { field: &'static str, name: String },
    #[error("`peer.address`: the path is not one that a socket may have")]
    Path,
}

/// The inputs that a peer needs in addition to its route's spec.
#[derive(Clone, Copy)]
pub struct PeerInputs<'a> {
    /// The address that the connection goes to: the target's, or its CONNECT proxy's.
    pub hop: &'a Hop,
    /// Separates its pooled connections from others: see `PoolKeys`.
    pub pool_key: u64,
    /// How long an idle connection is kept for reuse.
    pub idle_timeout: Duration,
    /// Count of the tenant's connections, including this one.
    pub connections: &'a Count,
    pub credentials: &'a Credentials,
    /// Connects to CONNECT proxies.
    pub connector: &'a Arc<TransportConnector>,
    /// The addresses on which the proxy itself listens.
    pub own: &'a Arc<OwnAddresses>,
}

/// A peer that is ready for Pingora to connect.
pub struct ReadyPeer {
    pub peer: Box<HttpPeer>,
    /// None for a plain socket, with neither TLS nor a tunnel.
    pub reached: Option<ConnectProgress>,
}

/// Reuses the peer that was prepared for a route, for one more attempt. None: it must be made with [`http_peer()`].
pub fn prepared(route: &Route, idle_timeout: Duration, connections: &Count) -> Option<ReadyPeer> {
    let mut peer = Box::new(route.prepared::<HttpPeer>()?.clone());
    let reached = watch(&mut peer, &route.peer, connections);
    peer.options.idle_timeout = Some(idle_timeout);
    Some(ReadyPeer { peer, reached })
}

/// Marks a TLS connection that must speak HTTP/2 but whose server has not agreed to it (RFC 9113, section 3.3), so that
/// Pingora would speak HTTP/1.1.
#[derive(Debug)]
pub struct NotHttp2;

/// Pingora calls this when a TLS handshake is complete, and stores the result with the connection.
type HandshakeHook = Arc<dyn Fn(&SslRef) -> Option<Arc<dyn Any + Send + Sync>> + Send + Sync>;

static NOTE_OTHER_THAN_HTTP2: LazyLock<HandshakeHook> = LazyLock::new(|| {
    Arc::new(|ssl| {
        let note: Arc<dyn Any + Send + Sync> = Arc::new(NotHttp2);
        (ssl.selected_alpn_protocol() != Some(b"h2")).then_some(note)
    })
});

/// Makes the peer of a route.
pub fn http_peer(route: &Arc<Route>, ends: PeerInputs<'_>) -> Result<ReadyPeer, PeerError> {
    let spec = &route.peer;
    let connection = &spec.connection;
    let mut peer = socket_peer(spec, &ends)?;
    peer.group_key = ends.pool_key;
    let options = &mut peer.options;
    options.total_connection_timeout = Some(spec.timeouts.total_connect);
    options.read_timeout = Some(spec.timeouts.read);
    options.write_timeout = Some(spec.timeouts.write);
    options.idle_timeout = Some(ends.idle_timeout);
    set_http(options, &connection.http);
    if let Some(tls) = &connection.tls {
        set_tls(&mut peer, tls, ends.credentials)?;
        if connection.http.alpn == Alpn::H2 {
            peer.options.upstream_tls_handshake_complete_hook = Some(NOTE_OTHER_THAN_HTTP2.clone());
        }
    }
    route.prepare(&peer);
    let reached = watch(&mut peer, spec, ends.connections);
    if let (Some(proxy), Some(reached)) = (&connection.connect_proxy, &reached) {
        peer.options.custom_l4 = Some(Arc::new(Tunnel {
            proxy: socket_peer(spec, &ends)?,
            request: Tunnel::request(&connection.target, proxy),
            timeout: spec.timeouts.connect,
            connector: ends.connector.clone(),
            reached: reached.clone(),
        }));
    }
    Ok(ReadyPeer { peer: Box::new(peer), reached })
}

/// Adds a tracer that records how far the attempt gets and counts the tenant's connections.
fn watch(peer: &mut HttpPeer, spec: &PeerSpec, connections: &Count) -> Option<ConnectProgress> {
    let connection = &spec.connection;
    let reached = (connection.tls.is_some() || connection.connect_proxy.is_some()).then(ConnectProgress::default);
    let watch = Watch { reached: reached.clone(), connections: connections.clone() };
    peer.options.tracer = Some(Tracer(Box::new(watch)));
    reached
}

/// A plain peer with its socket attributes.
fn socket_peer(spec: &PeerSpec, ends: &PeerInputs<'_>) -> Result<HttpPeer, PeerError> {
    let (connection, hop) = (&spec.connection, ends.hop);
    let mut peer = match hop {
        Hop::Socket(address) => to_address(*address),
        Hop::Unix(path) => to_unix_socket(path, spec.timeouts.connect, ends.own)?,
    };
    let options = &mut peer.options;
    options.connection_timeout = Some(spec.timeouts.connect);
    options.bind_to = match hop {
        Hop::Socket(address) => connection.bind_to.as_ref().map(|bind| bind_to(bind, *address)),
        Hop::Unix(_) => None,
    };
    options.tcp_keepalive = connection.tcp_keepalive.as_ref().map(|keepalive| TcpKeepalive {
        idle: keepalive.idle,
        interval: keepalive.interval,
        count: usize::try_from(keepalive.count).unwrap_or(usize::MAX),
        user_timeout: keepalive.user_timeout,
    });
    // Pingora sets the whole octet (`IP_TOS`), whose upper six bits are the code point.
    options.dscp = connection.socket.dscp.map(|code_point| code_point << 2);
    options.tcp_recv_buf = connection.socket.tcp_recv_buf.and_then(|bytes| usize::try_from(bytes).ok());
    options.tcp_fast_open = connection.socket.tcp_fast_open;
    Ok(peer)
}

#[expect(clippy::disallowed_methods, reason = "a `SocketAddr` needs no look-up, so nothing blocks and nothing panics")]
fn to_address(address: SocketAddr) -> HttpPeer {
    HttpPeer::new(address, false, String::new())
}

#[expect(clippy::disallowed_methods, reason = "the path is checked: it is absolute, short enough and without NUL")]
fn to_unix_socket(path: &Path, timeout: Duration, own: &Arc<OwnAddresses>) -> Result<HttpPeer, PeerError> {
    let text = path.to_str().ok_or(PeerError::Path)?;
    let mut peer = HttpPeer::new_uds(text, false, String::new()).map_err(|_| PeerError::Path)?;
    peer.options.custom_l4 = Some(Arc::new(UnixConnector { path: path.to_owned(), timeout, own: own.clone() }));
    Ok(peer)
}

fn set_tls(peer: &mut HttpPeer, tls: &TlsSpec, credentials: &Credentials) -> Result<(), PeerError> {
    watch_certificates();
    peer.scheme = Scheme::HTTPS;
    peer.sni = tls.server_name.clone().unwrap_or_default();
    let options = &mut peer.options;
    options.verify_cert = tls.verify != Verify::None;
    options.verify_hostname = tls.verify == Verify::Full;
    options.alternative_cn = tls.alternative_name.clone();
    options.curves = tls.curves.clone().map(Into::into);
    if let Some(CredentialSpec { name, .. }) = &tls.ca {
        let gone = || PeerError::NoCredential { field: "peer.tls.ca", name: name.clone() };
        options.ca = Some(credentials.ca(name).ok_or_else(gone)?);
    }
    if let Some(CredentialSpec { name, .. }) = &tls.client_certificate {
        let gone = || PeerError::NoCredential { field: "peer.tls.client-cert", name: name.clone() };
        peer.client_cert_key = Some(credentials.client(name).ok_or_else(gone)?);
    }
    Ok(())
}

fn set_http(options: &mut PeerOptions, http: &HttpSpec) {
    options.alpn = match http.alpn {
        Alpn::H1 => ALPN::H1,
        Alpn::H2 => ALPN::H2,
        Alpn::H2h1 => ALPN::H2H1,
    };
    options.max_h2_streams = usize::try_from(http.max_h2_streams).unwrap_or(usize::MAX);
    options.h2_ping_interval = http.h2_ping_interval;
    options.h2_stream_window_size = http.h2_stream_window;
    options.h2_connection_window_size = http.h2_connection_window;
    options.allow_h1_response_invalid_content_length = http.quirks.contains(Quirks::ACCEPT_INVALID_CONTENT_LENGTH);
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy {
        strip_hop_by_hop: !http.quirks.contains(Quirks::KEEP_HOP_BY_HOP),
        strip_connection_nominated: !http.quirks.contains(Quirks::KEEP_CONNECTION_NOMINATED),
        reject_malformed_connection_nominations: !http.quirks.contains(Quirks::ACCEPT_MALFORMED_CONNECTION),
        h1_upgrade: match http.upgrade {
            Upgrade::Websocket => H1UpgradePolicy::WebSocketOnly,
            Upgrade::Any => H1UpgradePolicy::Preserve,
            Upgrade::Deny => H1UpgradePolicy::Deny,
        },
    };
}

fn bind_to(spec: &BindSpec, remote: SocketAddr) -> BindTo {
    let unspecified = || match remote {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 8], 0)),
    };
    let mut bind = BindTo::default();
    bind.addr = Some(spec.address.unwrap_or_else(unspecified));
    // Fails only for ranges that `check` refuses too.
    let _ = bind.set_port_range(spec.port_range);
    bind.set_fallback(spec.fallback);
    bind
}
