//! Socket options and local addresses, as the kernel reports them on the proxy's side of the connection.

use std::os::fd::OwnedFd;

use nix::sys::socket::{GetSockOpt, getsockopt, sockopt};
use pointsman_tests::{Proxy, Reply, Tenant, Upstream, example, sockets};

const BIND: &str = "[tenant.grants]\nbind_to = true";

/// The proxy's socket to an upstream whose peer has these further fields. Needs the proxy to stay alive.
struct Connected {
    socket: OwnedFd,
    upstream: Upstream,
    _proxy: Proxy,
}

impl Connected {
    async fn with(more: &str) -> Connected {
        Connected::of(Upstream::answering("live").start().await, more, "").await
    }

    async fn of(upstream: Upstream, more: &str, tables: &str) -> Connected {
        let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "").table(BIND).table(tables)).start().await;
        let reply = proxy.order(&format!(r#"{{"address": "{}"{more}}}"#, upstream.address())).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "live"), "{more}");
        let socket = sockets::connected(upstream.only_request().peer, upstream.address());
        Connected { socket, upstream, _proxy: proxy }
    }

    fn option<O: GetSockOpt>(&self, option: O) -> O::Val {
        getsockopt(&self.socket, option).expect("an option of the socket")
    }

    /// Whether it is on, idle time, interval, count, user timeout.
    fn keepalive(&self) -> (bool, u32, u32, u32, u32) {
        (
            self.option(sockopt::KeepAlive),
            self.option(sockopt::TcpKeepIdle),
            self.option(sockopt::TcpKeepInterval),
            self.option(sockopt::TcpKeepCount),
            self.option(sockopt::TcpUserTimeout),
        )
    }
}

#[tokio::test]
async fn keepalive_is_set_as_the_module_configures() {
    let keepalive = r#", "tcp-keepalive": {"idle-s": 11, "interval-s": 12, "count": 13, "user-timeout-ms": 14000}"#;
    assert_eq!(Connected::with(keepalive).await.keepalive(), (true, 11, 12, 13, 14_000));
}

#[tokio::test]
async fn keepalive_is_the_tenants_default_where_the_module_sets_none() {
    let tables = "[tenant.upstream.tcp_keepalive]\nidle_s = 21\ninterval_s = 22\ncount = 23\nuser_timeout_ms = 24000";
    let upstream = Upstream::answering("live").start().await;
    assert_eq!(Connected::of(upstream, "", tables).await.keepalive(), (true, 21, 22, 23, 24_000));
    let upstream = Upstream::answering("live").start().await;
    let own = r#", "tcp-keepalive": {"idle-s": 11, "interval-s": 12, "count": 13, "user-timeout-ms": 0}"#;
    assert_eq!(Connected::of(upstream, own, tables).await.keepalive(), (true, 11, 12, 13, 0));
}

#[tokio::test]
async fn keepalive_is_off_by_default() {
    let (on, .., user_timeout) = Connected::with("").await.keepalive();
    assert_eq!((on, user_timeout), (false, 0));
}

#[tokio::test]
async fn dscp_is_in_the_upper_bits_of_its_octet() {
    assert_eq!(Connected::with("").await.option(sockopt::Ipv4Tos), 0);
    assert_eq!(Connected::with(r#", "socket": {"dscp": 46}"#).await.option(sockopt::Ipv4Tos), 46 << 2);
    let upstream = Upstream::answering("live").ipv6().start().await;
    let connected = Connected::of(upstream, r#", "socket": {"dscp": 10}"#, "").await;
    assert_eq!(connected.option(sockopt::Ipv6TClass), 10 << 2);
}

#[tokio::test]
async fn receive_buffer_has_the_requested_size() {
    // The kernel doubles the requested size, for its own bookkeeping: socket(7).
    assert_eq!(Connected::with(r#", "socket": {"tcp-recv-buf": 40000}"#).await.option(sockopt::RcvBuf), 80_000);
    assert_ne!(Connected::with("").await.option(sockopt::RcvBuf), 80_000);
}

#[tokio::test]
async fn fast_open_is_on_where_it_is_requested() {
    assert!(Connected::with(r#", "socket": {"tcp-fast-open": true}"#).await.option(sockopt::TcpFastOpenConnect));
    assert!(!Connected::with("").await.option(sockopt::TcpFastOpenConnect));
}

#[tokio::test]
async fn local_address_is_the_requested_one() {
    let connected = Connected::with(r#", "bind-to": {"address": "127.0.0.9"}"#).await;
    assert_eq!(connected.upstream.only_request().peer.ip().to_string(), "127.0.0.9");

    let free = Upstream::closed_port().port();
    let bind = format!(r#", "bind-to": {{"address": "127.0.0.9:{free}"}}"#);
    assert_eq!(Connected::with(&bind).await.upstream.only_request().peer.to_string(), format!("127.0.0.9:{free}"));

    let upstream = Upstream::answering("live").ipv6().start().await;
    let connected = Connected::of(upstream, r#", "bind-to": {"address": "::1"}"#, "").await;
    assert_eq!(connected.upstream.only_request().peer.ip().to_string(), "::1");
}

/// An address that this machine does not have.
#[tokio::test]
async fn foreign_local_address_is_a_connect_failure() {
    let upstream = Upstream::answering("live").start().await;
    let reply = once(&upstream, r#"{"address": "192.0.2.1"}"#).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-connect")));
    assert_eq!(upstream.connections(), 0);
}

/// First ports of the system's range, parts of which tests use. None: this kernel has no per-socket ranges.
fn first_local_port() -> Option<u16> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).expect("a setting of the kernel");
    let number = |text: &str| text.trim().parse::<u16>().expect("a number");
    let release = read("kernel/osrelease");
    let mut version = release.split(['.', '-']).map(number);
    let ranges = (version.next(), version.next()) >= (Some(6), Some(3));
    ranges.then(|| number(read("net/ipv4/ip_local_port_range").split_whitespace().next().expect("a first port")))
}

#[tokio::test]
async fn local_port_is_in_the_range() {
    let Some(first) = first_local_port() else { return ranges_are_refused().await };
    let (from, to) = (first + 5000, first + 5099);
    for bind in [
        format!(r#"{{"address": "127.0.0.9", "port-range": [{from}, {to}]}}"#),
        format!(r#"{{"port-range": [{from}, {to}]}}"#),
    ] {
        let peer = Connected::with(&format!(r#", "bind-to": {bind}"#)).await.upstream.only_request().peer;
        assert!((from..=to).contains(&peer.port()) && peer.ip().is_loopback(), "{bind}: {peer}");
    }
}

#[tokio::test]
async fn port_outside_the_range_is_used_only_with_the_fallback_option() {
    let Some(first) = first_local_port() else { return ranges_are_refused().await };
    // Both ports of the range are in use.
    let (from, to) = (first + 6000, first + 6001);
    let busy = [from, to].map(|port| std::net::TcpListener::bind(("127.0.0.9", port)));
    assert!(busy.iter().all(Result::is_ok), "{busy:?}");
    let upstream = Upstream::answering("live").start().await;
    for (fallback, status) in [(false, 502), (true, 200)] {
        let bind = format!(r#"{{"address": "127.0.0.9", "port-range": [{from}, {to}], "fallback": {fallback}}}"#);
        assert_eq!(once(&upstream, &bind).await.status, status, "{bind}");
    }
}

#[tokio::test]
async fn range_beyond_the_systems_is_refused() {
    ranges_are_refused().await;
}

async fn ranges_are_refused() {
    let upstream = Upstream::answering("live").start().await;
    let reply = once(&upstream, r#"{"port-range": [1, 2]}"#).await;
    assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")));
}

/// The response of one attempt from this local end.
async fn once(upstream: &Upstream, bind: &str) -> Reply {
    let tenant = Tenant::new("lab").module(example("lab"), "").table(BIND).table("[tenant.limits]\nattempts = 1");
    let proxy = Proxy::with(tenant).start().await;
    proxy.order(&format!(r#"{{"address": "{}", "bind-to": {bind}}}"#, upstream.address())).await
}
