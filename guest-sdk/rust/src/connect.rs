//! The parts of a peer that say how the connection comes about: CONNECT proxy, local end, keepalive.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::peer::millis;
use crate::{BindTo, ConnectProxy, Header, TcpKeepalive};

impl ConnectProxy {
    /// A proxy at `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`.
    pub fn new(address: impl Into<String>) -> ConnectProxy {
        ConnectProxy { address: address.into(), headers: Vec::new() }
    }

    /// Adds a header to the CONNECT request, such as `proxy-authorization`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> ConnectProxy {
        self.headers.push(Header::new(name, value));
        self
    }
}

impl From<&str> for ConnectProxy {
    fn from(address: &str) -> ConnectProxy {
        ConnectProxy::new(address)
    }
}

impl From<String> for ConnectProxy {
    fn from(address: String) -> ConnectProxy {
        ConnectProxy::new(address)
    }
}

impl BindTo {
    /// Any local address, and one of these ports.
    pub fn ports(ports: RangeInclusive<u16>) -> BindTo {
        BindTo { address: None, port_range: None, fallback: false }.port_range(ports)
    }

    /// One of these local ports.
    pub fn port_range(mut self, ports: RangeInclusive<u16>) -> BindTo {
        self.port_range = Some(ports.into_inner());
        self
    }

    /// Another port when none in the range is free.
    pub fn fallback(mut self) -> BindTo {
        self.fallback = true;
        self
    }
}

impl From<IpAddr> for BindTo {
    fn from(address: IpAddr) -> BindTo {
        address.to_string().into()
    }
}

impl From<SocketAddr> for BindTo {
    fn from(address: SocketAddr) -> BindTo {
        address.to_string().into()
    }
}

/// `ip` or `ip:port`, as it is.
impl From<&str> for BindTo {
    fn from(address: &str) -> BindTo {
        address.to_owned().into()
    }
}

/// `ip` or `ip:port`, as it is.
impl From<String> for BindTo {
    fn from(address: String) -> BindTo {
        BindTo { address: Some(address), port_range: None, fallback: false }
    }
}

impl TcpKeepalive {
    /// The first probe after `idle`, the next ones `interval` apart, and `count` of them unanswered end the connection.
    /// In seconds to the host: a fraction of one counts as one.
    pub fn new(idle: Duration, interval: Duration, count: u32) -> TcpKeepalive {
        TcpKeepalive { idle_s: seconds(idle), interval_s: seconds(interval), count, user_timeout_ms: 0 }
    }

    /// How long sent data may stay unacknowledged. Zero: the system's default.
    pub fn user_timeout(mut self, timeout: Duration) -> TcpKeepalive {
        self.user_timeout_ms = millis(timeout);
        self
    }
}

fn seconds(time: Duration) -> u32 {
    millis(time).div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::Peer;

    #[test]
    fn a_connect_proxy_is_an_address_or_more() {
        let plain = Peer::http("10.0.0.1:80").connect_proxy("192.0.2.1:3128");
        assert_eq!(plain.connect_proxy, Some(ConnectProxy { address: "192.0.2.1:3128".to_owned(), headers: vec![] }));

        let proxy = ConnectProxy::new("192.0.2.1:3128").header("proxy-authorization", "Basic eDp5");
        let peer = Peer::http("10.0.0.1:80").connect_proxy(proxy);
        assert_eq!(peer.connect_proxy.unwrap().headers, [Header::new("proxy-authorization", "Basic eDp5")]);
    }

    #[test]
    fn the_local_end_is_an_address_ports_or_both() {
        let address = |local: BindTo| local.address.unwrap();
        assert_eq!(address(IpAddr::V4(Ipv4Addr::LOCALHOST).into()), "127.0.0.1");
        assert_eq!(address(SocketAddr::from(([127, 0, 0, 1], 4000)).into()), "127.0.0.1:4000");
        assert_eq!(address("::1".into()), "::1");

        let ports = BindTo::ports(40_000..=40_100).fallback();
        assert_eq!(ports, BindTo { address: None, port_range: Some((40_000, 40_100)), fallback: true });
        let both = BindTo::from("127.0.0.1").port_range(1..=2);
        assert_eq!(both, BindTo { address: Some("127.0.0.1".to_owned()), port_range: Some((1, 2)), fallback: false });
    }

    #[test]
    fn keepalive_times_are_rounded_up() {
        let keepalive = TcpKeepalive::new(Duration::from_millis(1500), Duration::from_secs(5), 3);
        assert_eq!(keepalive, TcpKeepalive { idle_s: 2, interval_s: 5, count: 3, user_timeout_ms: 0 });
        assert_eq!(keepalive.user_timeout(Duration::from_secs(20)).user_timeout_ms, 20_000);
    }
}
