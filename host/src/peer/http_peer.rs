//! The one function that makes an `HttpPeer`. Every attribute of a spec is carried; what this version can't carry is an
//! error, never left out.

use std::net::SocketAddr;
use std::path::Path;

use pingora::connectors::l4::BindTo;
use pingora::protocols::TcpKeepalive;
use pingora::upstreams::peer::{ALPN, H1UpgradePolicy, HttpPeer, HttpUpstreamRequestPolicy, PeerOptions};

use crate::check::{BindSpec, CredentialSpec, HttpSpec, PeerSpec, Target};
use crate::credentials::Credentials;
use crate::raw::{Alpn, Quirks, Upgrade, Verify};

/// A peer that passes all checks and still can't be made.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PeerError {
    #[error("`{field}`: {what} are not supported yet")]
    Unsupported { field: &'static str, what: &'static str },
    #[error("`{field}`: credential `{name}` is gone")]
    NoCredential { field: &'static str, name: String },
    #[error("`peer.address`: the path is not one that a socket may have")]
    Path,
}

/// A peer as Pingora connects it. `pool_key` keeps its pooled connections apart: see `PoolKeys`.
pub fn http_peer(spec: &PeerSpec, pool_key: u64, credentials: &Credentials) -> Result<Box<HttpPeer>, PeerError> {
    let connection = &spec.connection;
    let unsupported = |field, what| Err(PeerError::Unsupported { field, what });
    if connection.connect_proxy.is_some() {
        return unsupported("peer.connect-proxy", "CONNECT proxies");
    }
    let server_name = connection.tls.as_ref().and_then(|tls| tls.server_name.clone()).unwrap_or_default();
    let mut peer = match &connection.target {
        Target::Socket(address) => to_address(*address, connection.tls.is_some(), server_name),
        Target::Unix(path) => to_unix_socket(path, connection.tls.is_some(), server_name)?,
        Target::Name { .. } => return unsupported("peer.address", "names"),
    };
    peer.group_key = pool_key;

    let options = &mut peer.options;
    options.connection_timeout = Some(spec.timeouts.connect);
    options.total_connection_timeout = Some(spec.timeouts.total_connect);
    options.read_timeout = Some(spec.timeouts.read);
    options.write_timeout = Some(spec.timeouts.write);
    options.idle_timeout = Some(spec.timeouts.idle);
    if let Some(tls) = &connection.tls {
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
    }
    options.bind_to = match &connection.target {
        Target::Socket(address) => connection.bind_to.as_ref().map(|bind| bind_to(bind, *address)),
        Target::Name { .. } | Target::Unix(_) => None,
    };
    options.tcp_keepalive = connection.tcp_keepalive.as_ref().map(|keepalive| TcpKeepalive {
        idle: keepalive.idle,
        interval: keepalive.interval,
        count: usize::try_from(keepalive.count).unwrap_or(usize::MAX),
        user_timeout: keepalive.user_timeout,
    });
    // Pingora sets the whole octet (`IP_TOS`), of which the code point is the upper six bits.
    options.dscp = connection.socket.dscp.map(|code_point| code_point << 2);
    options.tcp_recv_buf = connection.socket.tcp_recv_buf.and_then(|bytes| usize::try_from(bytes).ok());
    options.tcp_fast_open = connection.socket.tcp_fast_open;
    set_http(options, &connection.http);
    Ok(Box::new(peer))
}

#[expect(clippy::disallowed_methods, reason = "a `SocketAddr` needs no look-up, so nothing blocks and nothing panics")]
fn to_address(address: SocketAddr, tls: bool, server_name: String) -> HttpPeer {
    HttpPeer::new(address, tls, server_name)
}

#[expect(clippy::disallowed_methods, reason = "the path is checked: it is absolute, short enough and without NUL")]
fn to_unix_socket(path: &Path, tls: bool, server_name: String) -> Result<HttpPeer, PeerError> {
    let path = path.to_str().ok_or(PeerError::Path)?;
    HttpPeer::new_uds(path, tls, server_name).map_err(|_| PeerError::Path)
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
    // Refuses only ranges that `check` refuses too.
    let _ = bind.set_port_range(spec.port_range);
    bind.set_fallback(spec.fallback);
    bind
}
