//! An upstream, and how to connect to it.

use std::time::Duration;

use crate::{
    Alpn, BindTo, ConnectProxy, HttpOptions, Peer, Quirks, SocketOptions, TcpKeepalive, Timeouts, Tls, Upgrade,
};

/// ```
/// use std::time::Duration;
/// use pointsman_guest::{Alpn, Peer};
///
/// let peer = Peer::https("203.0.113.7:443")
///     .sni("shop.example")
///     .alpn(Alpn::H2h1)
///     .connect_timeout(Duration::from_millis(300));
/// ```
///
/// Unset fields are left to the tenant's configuration, or off. A wrong value is refused by the host, which names
/// the field; it is never ignored.
impl Peer {
    /// Plain HTTP/1.1 to `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`.
    pub fn http(address: impl Into<String>) -> Peer {
        Peer {
            address: address.into(),
            tls: None,
            connect_proxy: None,
            bind_to: None,
            timeouts: Timeouts::default(),
            tcp_keepalive: None,
            http: HttpOptions::default(),
            socket: SocketOptions::default(),
            isolation: None,
        }
    }

    /// HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, say which name to
    /// expect: [`sni`](Peer::sni).
    pub fn https(address: impl Into<String>) -> Peer {
        Peer { tls: Some(Tls::default()), ..Peer::http(address) }
    }

    /// Connects through an HTTP proxy: its address, or a [`ConnectProxy`] with headers.
    pub fn connect_proxy(mut self, proxy: impl Into<ConnectProxy>) -> Peer {
        self.connect_proxy = Some(proxy.into());
        self
    }

    /// Sets the local end of the connection: an `IpAddr`, a `SocketAddr`, or a [`BindTo`] with ports. Needs a grant.
    pub fn bind_to(mut self, local: impl Into<BindTo>) -> Peer {
        self.bind_to = Some(local.into());
        self
    }

    /// Keeps connections apart that are equal otherwise: they are shared only within one value.
    pub fn isolation(mut self, isolation: impl Into<String>) -> Peer {
        self.isolation = Some(isolation.into());
        self
    }
}

/// # Timeouts
///
/// In milliseconds to the host: a fraction of one counts as one.
impl Peer {
    /// Time to establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS
    /// handshake.
    pub fn connect_timeout(mut self, timeout: Duration) -> Peer {
        self.timeouts.connect_ms = Some(millis(timeout));
        self
    }

    /// Time to establish the connection with all that belongs to it: TCP, CONNECT, TLS.
    pub fn total_connect_timeout(mut self, timeout: Duration) -> Peer {
        self.timeouts.total_connect_ms = Some(millis(timeout));
        self
    }

    /// Time between two reads of the response.
    pub fn read_timeout(mut self, timeout: Duration) -> Peer {
        self.timeouts.read_ms = Some(millis(timeout));
        self
    }

    /// Time for one write of the request.
    pub fn write_timeout(mut self, timeout: Duration) -> Peer {
        self.timeouts.write_ms = Some(millis(timeout));
        self
    }

    /// How long the connection is kept for reuse. Zero: not at all.
    pub fn idle_timeout(mut self, timeout: Duration) -> Peer {
        self.timeouts.idle_ms = Some(millis(timeout));
        self
    }
}

/// # HTTP
impl Peer {
    /// The HTTP version to speak.
    pub fn alpn(mut self, alpn: Alpn) -> Peer {
        self.http.alpn = alpn;
        self
    }

    /// Concurrent streams on one HTTP/2 connection.
    pub fn max_h2_streams(mut self, streams: u32) -> Peer {
        self.http.max_h2_streams = Some(streams);
        self
    }

    /// Time between HTTP/2 pings on a connection.
    pub fn h2_ping_interval(mut self, interval: Duration) -> Peer {
        self.http.h2_ping_interval_ms = Some(millis(interval));
        self
    }

    /// Initial HTTP/2 receive window of a stream, in bytes.
    pub fn h2_stream_window(mut self, bytes: u32) -> Peer {
        self.http.h2_stream_window = Some(bytes);
        self
    }

    /// Initial HTTP/2 receive window of the connection, in bytes.
    pub fn h2_connection_window(mut self, bytes: u32) -> Peer {
        self.http.h2_connection_window = Some(bytes);
        self
    }

    /// Which HTTP/1.1 upgrades are forwarded.
    pub fn upgrade(mut self, upgrade: Upgrade) -> Peer {
        self.http.upgrade = upgrade;
        self
    }

    /// Departures from the HTTP standard: `Quirks::KEEP_HOP_BY_HOP | Quirks::ACCEPT_INVALID_CONTENT_LENGTH`.
    pub fn quirks(mut self, quirks: Quirks) -> Peer {
        self.http.quirks = quirks;
        self
    }
}

/// # Socket
impl Peer {
    /// Probes an idle connection.
    pub fn tcp_keepalive(mut self, keepalive: TcpKeepalive) -> Peer {
        self.tcp_keepalive = Some(keepalive);
        self
    }

    /// Differentiated services code point, 0 to 63.
    pub fn dscp(mut self, dscp: u8) -> Peer {
        self.socket.dscp = Some(dscp);
        self
    }

    /// Size of the receive buffer, in bytes.
    pub fn tcp_recv_buf(mut self, bytes: u32) -> Peer {
        self.socket.tcp_recv_buf = Some(bytes);
        self
    }

    /// Sends the first bytes with the SYN (RFC 7413).
    pub fn tcp_fast_open(mut self) -> Peer {
        self.socket.tcp_fast_open = true;
        self
    }
}

/// The tenant's `upstream` defaults.
impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect_ms: None, total_connect_ms: None, read_ms: None, write_ms: None, idle_ms: None }
    }
}

/// HTTP/1.1, WebSocket upgrades, no quirks.
impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            alpn: Alpn::default(),
            max_h2_streams: None,
            h2_ping_interval_ms: None,
            h2_stream_window: None,
            h2_connection_window: None,
            upgrade: Upgrade::default(),
            quirks: Quirks::empty(),
        }
    }
}

/// HTTP/1.1.
impl Default for Alpn {
    fn default() -> Alpn {
        Alpn::H1
    }
}

/// WebSocket only.
impl Default for Upgrade {
    fn default() -> Upgrade {
        Upgrade::Websocket
    }
}

/// The system's.
impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions { dscp: None, tcp_recv_buf: None, tcp_fast_open: false }
    }
}

/// Whole milliseconds, rounded up, so that no timeout becomes zero. What a `u32` can't hold, the host refuses.
pub(crate) fn millis(time: Duration) -> u32 {
    let millis = time.as_secs().saturating_mul(1000).saturating_add(time.subsec_nanos().div_ceil(1_000_000).into());
    u32::try_from(millis).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_peer_sets_no_option() {
        let peer = Peer::http("127.0.0.1:9101");
        assert_eq!(peer.address, "127.0.0.1:9101");
        assert_eq!((peer.tls, peer.connect_proxy, peer.bind_to), (None, None, None));
        assert_eq!((peer.tcp_keepalive, peer.isolation), (None, None));
        assert_eq!(peer.timeouts, Timeouts::default());
        assert_eq!(peer.http, HttpOptions::default());
        assert_eq!(peer.socket, SocketOptions::default());
    }

    #[test]
    fn every_timeout_sets_its_field() {
        let peer = Peer::http("127.0.0.1:9101")
            .connect_timeout(Duration::from_millis(1))
            .total_connect_timeout(Duration::from_millis(2))
            .read_timeout(Duration::from_millis(3))
            .write_timeout(Duration::from_millis(4))
            .idle_timeout(Duration::from_millis(5));
        let expected = Timeouts {
            connect_ms: Some(1),
            total_connect_ms: Some(2),
            read_ms: Some(3),
            write_ms: Some(4),
            idle_ms: Some(5),
        };
        assert_eq!(peer.timeouts, expected);
    }

    #[test]
    fn every_http_option_sets_its_field() {
        let peer = Peer::http("127.0.0.1:9101")
            .alpn(Alpn::H2)
            .max_h2_streams(1)
            .h2_ping_interval(Duration::from_secs(2))
            .h2_stream_window(65_535)
            .h2_connection_window(65_536)
            .upgrade(Upgrade::Deny)
            .quirks(Quirks::KEEP_HOP_BY_HOP | Quirks::ACCEPT_INVALID_CONTENT_LENGTH);
        let expected = HttpOptions {
            alpn: Alpn::H2,
            max_h2_streams: Some(1),
            h2_ping_interval_ms: Some(2000),
            h2_stream_window: Some(65_535),
            h2_connection_window: Some(65_536),
            upgrade: Upgrade::Deny,
            quirks: Quirks::KEEP_HOP_BY_HOP | Quirks::ACCEPT_INVALID_CONTENT_LENGTH,
        };
        assert_eq!(peer.http, expected);
    }

    #[test]
    fn every_socket_option_sets_its_field() {
        let peer = Peer::http("127.0.0.1:9101").dscp(46).tcp_recv_buf(4096).tcp_fast_open().isolation("batch");
        assert_eq!(peer.socket, SocketOptions { dscp: Some(46), tcp_recv_buf: Some(4096), tcp_fast_open: true });
        assert_eq!(peer.isolation.as_deref(), Some("batch"));
    }

    #[test]
    fn times_are_rounded_up_and_bounded() {
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_micros(1500)), 2);
        assert_eq!(millis(Duration::from_secs(86_400)), 86_400_000);
        assert_eq!(millis(Duration::MAX), u32::MAX);
    }
}
