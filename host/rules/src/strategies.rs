//! Random records for the property tests of this crate and of the crates that use it (feature `proptest`).

use proptest::option::of;
use proptest::prelude::*;

use crate::check::{CredentialNames, OwnAddresses, Policy};
use crate::config::{Grants, Limits, UpstreamDefaults};
use crate::contract::{self, Alpn, Quirks, Upgrade, Verify};

/// Text that is often almost valid, and sometimes arbitrary.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z0-9.-]{0,20}(:[0-9]{0,6})?",
        "(\\[[0-9a-f:.%]{0,20}\\]|([0-9]{1,3}\\.){1,4})(:[0-9]{0,6})?",
        "unix:/?[a-z/\u{0}]{0,120}",
        "\\PC{0,40}",
        any::<String>(),
        Just("1.1.1.7:443".to_owned()),
        Just("a".repeat(300)),
        Just("\r\n\u{0}".to_owned()),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<u32> {
    prop_oneof![Just(0), Just(1), Just(65_535), Just(u32::MAX), any::<u32>(), 1_u32..100_000].boxed()
}

fn header() -> BoxedStrategy<contract::Header> {
    (prop_oneof!["[a-z-]{1,12}", text()], prop_oneof!["[ -~]{0,20}".prop_map(String::into_bytes), any::<Vec<u8>>()])
        .prop_map(|(name, value)| contract::Header { name, value })
        .boxed()
}

fn headers() -> BoxedStrategy<Vec<contract::Header>> {
    prop::collection::vec(header(), 0..4).boxed()
}

fn tls() -> BoxedStrategy<contract::Tls> {
    let verify = prop_oneof![Just(Verify::Full), Just(Verify::ChainOnly), Just(Verify::None)];
    (of(text()), verify, of(text()), of(text()), of(text()))
        .prop_map(|(sni, verify, alternative_cn, ca, curves)| contract::Tls {
            sni,
            verify,
            alternative_cn,
            ca,
            client_cert: None,
            curves,
            second_key_share: None,
        })
        .boxed()
}

fn http() -> BoxedStrategy<contract::HttpOptions> {
    let alpn = prop_oneof![Just(Alpn::H1), Just(Alpn::H2), Just(Alpn::H2h1)];
    let upgrade = prop_oneof![Just(Upgrade::Websocket), Just(Upgrade::Any), Just(Upgrade::Deny)];
    (alpn, of(number()), of(number()), of(number()), upgrade)
        .prop_map(|(alpn, streams, ping, window, upgrade)| contract::HttpOptions {
            alpn,
            max_h2_streams: streams,
            h2_ping_interval_ms: ping,
            h2_stream_window: window,
            h2_connection_window: window,
            upgrade,
            quirks: Quirks::KEEP_HOP_BY_HOP,
        })
        .boxed()
}

fn peer() -> BoxedStrategy<contract::Peer> {
    let bind = (of(text()), of(any::<(u16, u16)>()), any::<bool>())
        .prop_map(|(address, port_range, fallback)| contract::BindTo { address, port_range, fallback });
    let proxy = (text(), headers()).prop_map(|(address, headers)| contract::ConnectProxy { address, headers });
    let keepalive =
        (number(), number(), number(), number()).prop_map(|(idle_s, interval_s, count, user_timeout_ms)| {
            contract::TcpKeepalive { idle_s, interval_s, count, user_timeout_ms }
        });
    let socket = (of(any::<u8>()), of(number()), any::<bool>())
        .prop_map(|(dscp, tcp_recv_buf, tcp_fast_open)| contract::SocketOptions { dscp, tcp_recv_buf, tcp_fast_open });
    let timeouts = (of(number()), of(number()), of(number())).prop_map(|(connect_ms, read_ms, idle_ms)| {
        contract::Timeouts { connect_ms, total_connect_ms: connect_ms, read_ms, write_ms: read_ms, idle_ms }
    });
    (
        text(),
        of(tls()),
        of(proxy.boxed()),
        of(bind.boxed()),
        timeouts.boxed(),
        of(keepalive.boxed()),
        http(),
        socket.boxed(),
        of(text()),
    )
        .prop_map(|(address, tls, connect_proxy, bind_to, timeouts, tcp_keepalive, http, socket, isolation)| {
            contract::Peer { address, tls, connect_proxy, bind_to, timeouts, tcp_keepalive, http, socket, isolation }
        })
        .boxed()
}

/// Any decision that a module can return.
pub fn decision() -> BoxedStrategy<contract::Decision> {
    let rewrite = (of(text()), of(text()), prop::collection::vec(text(), 0..3), headers()).prop_map(
        |(authority, path_and_query, remove_headers, set_headers)| contract::Rewrite {
            authority,
            path_and_query,
            remove_headers,
            add_headers: set_headers.clone(),
            set_headers,
        },
    );
    let retry = (of(number()), prop::collection::vec(any::<u16>(), 0..3))
        .prop_map(|(attempts, on_status)| contract::RetryPolicy { attempts, on_status });
    let route = (peer(), rewrite.boxed(), retry.boxed(), of(text())).prop_map(|(peer, rewrite, retry, note)| {
        contract::Decision::Connect(contract::Route { peer, rewrite, retry, note })
    });
    let response = (any::<u16>(), headers(), any::<Vec<u8>>())
        .prop_map(|(status, headers, body)| contract::Decision::Respond(contract::Response { status, headers, body }));
    prop_oneof![8 => route.boxed(), 1 => response.boxed(), 1 => Just(contract::Decision::Pass)].boxed()
}

/// In place of the TLS library: it has two groups.
pub fn is_known_group_list(list: &str) -> bool {
    list.split(':').all(|group| matches!(group, "X25519" | "P-256"))
}

/// Runs `then` with a policy that has default limits and no credentials.
pub fn with_policy<T>(grants: &Grants, local_ports: Option<(u16, u16)>, then: impl FnOnce(&Policy<'_>) -> T) -> T {
    then(&Policy {
        limits: &Limits::default(),
        upstream: &UpstreamDefaults::default(),
        grants,
        credentials: &CredentialNames::default(),
        own: &OwnAddresses::default(),
        local_ports,
        tls_groups: is_known_group_list,
    })
}
