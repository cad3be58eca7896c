//! Converts the types generated from `wit/0.1` to the contract's plain types, and back for the host's answers.

use pointsman_rules::contract;
use pointsman_rules::request::DownstreamTls;

use crate::abi::v0_1::bindings::pointsman::router::{log, request, shared, types, upstreams};

impl From<types::Decision> for contract::Decision {
    fn from(decision: types::Decision) -> contract::Decision {
        match decision {
            types::Decision::Connect(route) => contract::Decision::Connect(route.into()),
            types::Decision::Respond(response) => contract::Decision::Respond(response.into()),
            types::Decision::Pass => contract::Decision::Pass,
        }
    }
}

impl From<types::Route> for contract::Route {
    fn from(route: types::Route) -> contract::Route {
        let types::Route { peer, rewrite, retry, note } = route;
        contract::Route { peer: peer.into(), rewrite: rewrite.into(), retry: retry.into(), note }
    }
}

impl From<types::Response> for contract::Response {
    fn from(response: types::Response) -> contract::Response {
        let types::Response { status, headers, body } = response;
        contract::Response { status, headers: list(headers), body }
    }
}

impl From<types::Header> for contract::Header {
    fn from(header: types::Header) -> contract::Header {
        let types::Header { name, value } = header;
        contract::Header { name, value }
    }
}

impl From<types::Peer> for contract::Peer {
    fn from(peer: types::Peer) -> contract::Peer {
        let types::Peer { address, tls, connect_proxy, bind_to, timeouts, tcp_keepalive, http, socket, isolation } =
            peer;
        contract::Peer {
            address,
            tls: tls.map(Into::into),
            connect_proxy: connect_proxy.map(Into::into),
            bind_to: bind_to.map(Into::into),
            timeouts: timeouts.into(),
            tcp_keepalive: tcp_keepalive.map(Into::into),
            http: http.into(),
            socket: socket.into(),
            isolation,
        }
    }
}

impl From<types::Tls> for contract::Tls {
    fn from(tls: types::Tls) -> contract::Tls {
        let types::Tls { sni, verify, alternative_cn, ca, client_cert, curves, second_key_share } = tls;
        let verify = match verify {
            types::Verify::Full => contract::Verify::Full,
            types::Verify::ChainOnly => contract::Verify::ChainOnly,
            types::Verify::None => contract::Verify::None,
        };
        contract::Tls { sni, verify, alternative_cn, ca, client_cert, curves, second_key_share }
    }
}

impl From<types::ConnectProxy> for contract::ConnectProxy {
    fn from(proxy: types::ConnectProxy) -> contract::ConnectProxy {
        let types::ConnectProxy { address, headers } = proxy;
        contract::ConnectProxy { address, headers: list(headers) }
    }
}

impl From<types::BindTo> for contract::BindTo {
    fn from(bind_to: types::BindTo) -> contract::BindTo {
        let types::BindTo { address, port_range, fallback } = bind_to;
        contract::BindTo { address, port_range, fallback }
    }
}

impl From<types::Timeouts> for contract::Timeouts {
    fn from(timeouts: types::Timeouts) -> contract::Timeouts {
        let types::Timeouts { connect_ms, total_connect_ms, read_ms, write_ms, idle_ms } = timeouts;
        contract::Timeouts { connect_ms, total_connect_ms, read_ms, write_ms, idle_ms }
    }
}

impl From<types::TcpKeepalive> for contract::TcpKeepalive {
    fn from(keepalive: types::TcpKeepalive) -> contract::TcpKeepalive {
        let types::TcpKeepalive { idle_s, interval_s, count, user_timeout_ms } = keepalive;
        contract::TcpKeepalive { idle_s, interval_s, count, user_timeout_ms }
    }
}

impl From<types::HttpOptions> for contract::HttpOptions {
    fn from(http: types::HttpOptions) -> contract::HttpOptions {
        let types::HttpOptions {
            alpn,
            max_h2_streams,
            h2_ping_interval_ms,
            h2_stream_window,
            h2_connection_window,
            upgrade,
            quirks,
        } = http;
        contract::HttpOptions {
            alpn: match alpn {
                types::Alpn::H1 => contract::Alpn::H1,
                types::Alpn::H2 => contract::Alpn::H2,
                types::Alpn::H2h1 => contract::Alpn::H2h1,
            },
            max_h2_streams,
            h2_ping_interval_ms,
            h2_stream_window,
            h2_connection_window,
            upgrade: match upgrade {
                types::Upgrade::Websocket => contract::Upgrade::Websocket,
                types::Upgrade::Any => contract::Upgrade::Any,
                types::Upgrade::Deny => contract::Upgrade::Deny,
            },
            quirks: quirks.into(),
        }
    }
}

/// Each flag of this version, with that of the contract.
const QUIRKS: [(types::Quirks, contract::Quirks); 4] = [
    (types::Quirks::KEEP_HOP_BY_HOP, contract::Quirks::KEEP_HOP_BY_HOP),
    (types::Quirks::KEEP_CONNECTION_NOMINATED, contract::Quirks::KEEP_CONNECTION_NOMINATED),
    (types::Quirks::ACCEPT_MALFORMED_CONNECTION, contract::Quirks::ACCEPT_MALFORMED_CONNECTION),
    (types::Quirks::ACCEPT_INVALID_CONTENT_LENGTH, contract::Quirks::ACCEPT_INVALID_CONTENT_LENGTH),
];

impl From<types::Quirks> for contract::Quirks {
    fn from(quirks: types::Quirks) -> contract::Quirks {
        QUIRKS.into_iter().filter(|(flag, _)| quirks.contains(*flag)).map(|(_, flag)| flag).collect()
    }
}

impl From<types::SocketOptions> for contract::SocketOptions {
    fn from(socket: types::SocketOptions) -> contract::SocketOptions {
        let types::SocketOptions { dscp, tcp_recv_buf, tcp_fast_open } = socket;
        contract::SocketOptions { dscp, tcp_recv_buf, tcp_fast_open }
    }
}

impl From<types::Rewrite> for contract::Rewrite {
    fn from(rewrite: types::Rewrite) -> contract::Rewrite {
        let types::Rewrite { authority, path_and_query, remove_headers, set_headers, add_headers } = rewrite;
        let (set_headers, add_headers) = (list(set_headers), list(add_headers));
        contract::Rewrite { authority, path_and_query, remove_headers, set_headers, add_headers }
    }
}

impl From<types::RetryPolicy> for contract::RetryPolicy {
    fn from(retry: types::RetryPolicy) -> contract::RetryPolicy {
        let types::RetryPolicy { attempts, on_status } = retry;
        contract::RetryPolicy { attempts, on_status }
    }
}

impl From<log::Level> for contract::Level {
    fn from(level: log::Level) -> contract::Level {
        match level {
            log::Level::Trace => contract::Level::Trace,
            log::Level::Debug => contract::Level::Debug,
            log::Level::Info => contract::Level::Info,
            log::Level::Warn => contract::Level::Warn,
            log::Level::Error => contract::Level::Error,
        }
    }
}

fn list(headers: Vec<types::Header>) -> Vec<contract::Header> {
    headers.into_iter().map(Into::into).collect()
}

// The host's answers.

impl From<&contract::Attempt> for types::Attempt {
    fn from(attempt: &contract::Attempt) -> types::Attempt {
        types::Attempt {
            number: attempt.number,
            address: attempt.address.clone(),
            stage: match attempt.stage {
                contract::Stage::Resolve => types::Stage::Resolve,
                contract::Stage::Connect => types::Stage::Connect,
                contract::Stage::ConnectProxy => types::Stage::ConnectProxy,
                contract::Stage::Tls => types::Stage::Tls,
                contract::Stage::Send => types::Stage::Send,
                contract::Stage::Receive => types::Stage::Receive,
                contract::Stage::Other => types::Stage::Other,
            },
            failure: match attempt.failure {
                contract::Failure::Timeout => types::Failure::Timeout,
                contract::Failure::Refused => types::Failure::Refused,
                contract::Failure::Unreachable => types::Failure::Unreachable,
                contract::Failure::Closed => types::Failure::Closed,
                contract::Failure::Certificate => types::Failure::Certificate,
                contract::Failure::Protocol => types::Failure::Protocol,
                contract::Failure::ProxyRefused => types::Failure::ProxyRefused,
                contract::Failure::Status => types::Failure::Status,
                contract::Failure::Other => types::Failure::Other,
            },
            status: attempt.status,
            reused_connection: attempt.reused_connection,
            request_sent: attempt.request_sent,
            elapsed_ms: attempt.elapsed_ms,
            detail: attempt.detail.clone(),
        }
    }
}

impl From<&DownstreamTls> for request::ClientTls {
    fn from(tls: &DownstreamTls) -> request::ClientTls {
        request::ClientTls {
            sni: tls.sni.clone(),
            version: tls.version.clone(),
            cipher: tls.cipher.clone(),
            client_cert_sha256: tls.client_cert_sha256.clone(),
        }
    }
}

impl From<contract::SharedError> for shared::Error {
    fn from(error: contract::SharedError) -> shared::Error {
        match error {
            contract::SharedError::Full => shared::Error::Full,
            contract::SharedError::TooLong => shared::Error::TooLong,
            contract::SharedError::OtherKind => shared::Error::OtherKind,
            contract::SharedError::Overflow => shared::Error::Overflow,
            contract::SharedError::Other => shared::Error::Other,
        }
    }
}

impl From<contract::Upstream> for upstreams::Upstream {
    fn from(upstream: contract::Upstream) -> upstreams::Upstream {
        let contract::Upstream { address, health, in_flight, latency_us, failures } = upstream;
        let health = match health {
            contract::Health::Unknown => upstreams::Health::Unknown,
            contract::Health::Healthy => upstreams::Health::Healthy,
            contract::Health::Unhealthy => upstreams::Health::Unhealthy,
        };
        upstreams::Upstream { address, health, in_flight, latency_us, failures }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_rules::strategies::decision;
    use proptest::prelude::*;

    use super::*;

    // Decisions as a module makes them.

    impl From<contract::Decision> for types::Decision {
        fn from(decision: contract::Decision) -> types::Decision {
            match decision {
                contract::Decision::Connect(route) => types::Decision::Connect(of_route(route)),
                contract::Decision::Respond(response) => types::Decision::Respond(types::Response {
                    status: response.status,
                    headers: of_headers(response.headers),
                    body: response.body,
                }),
                contract::Decision::Pass => types::Decision::Pass,
            }
        }
    }

    fn of_route(route: contract::Route) -> types::Route {
        let contract::Route { peer, rewrite, retry, note } = route;
        types::Route {
            peer: of_peer(peer),
            rewrite: types::Rewrite {
                authority: rewrite.authority,
                path_and_query: rewrite.path_and_query,
                remove_headers: rewrite.remove_headers,
                set_headers: of_headers(rewrite.set_headers),
                add_headers: of_headers(rewrite.add_headers),
            },
            retry: types::RetryPolicy { attempts: retry.attempts, on_status: retry.on_status },
            note,
        }
    }

    fn of_peer(peer: contract::Peer) -> types::Peer {
        let contract::Timeouts { connect_ms, total_connect_ms, read_ms, write_ms, idle_ms } = peer.timeouts;
        types::Peer {
            address: peer.address,
            tls: peer.tls.map(of_tls),
            connect_proxy: peer
                .connect_proxy
                .map(|proxy| types::ConnectProxy { address: proxy.address, headers: of_headers(proxy.headers) }),
            bind_to: peer.bind_to.map(|bind| types::BindTo {
                address: bind.address,
                port_range: bind.port_range,
                fallback: bind.fallback,
            }),
            timeouts: types::Timeouts { connect_ms, total_connect_ms, read_ms, write_ms, idle_ms },
            tcp_keepalive: peer.tcp_keepalive.map(|keepalive| types::TcpKeepalive {
                idle_s: keepalive.idle_s,
                interval_s: keepalive.interval_s,
                count: keepalive.count,
                user_timeout_ms: keepalive.user_timeout_ms,
            }),
            http: of_http(peer.http),
            socket: types::SocketOptions {
                dscp: peer.socket.dscp,
                tcp_recv_buf: peer.socket.tcp_recv_buf,
                tcp_fast_open: peer.socket.tcp_fast_open,
            },
            isolation: peer.isolation,
        }
    }

    fn of_tls(tls: contract::Tls) -> types::Tls {
        types::Tls {
            sni: tls.sni,
            verify: match tls.verify {
                contract::Verify::Full => types::Verify::Full,
                contract::Verify::ChainOnly => types::Verify::ChainOnly,
                contract::Verify::None => types::Verify::None,
            },
            alternative_cn: tls.alternative_cn,
            ca: tls.ca,
            client_cert: tls.client_cert,
            curves: tls.curves,
            second_key_share: tls.second_key_share,
        }
    }

    fn of_http(http: contract::HttpOptions) -> types::HttpOptions {
        let flags = QUIRKS.into_iter().filter(|(_, flag)| http.quirks.contains(*flag)).map(|(flag, _)| flag);
        types::HttpOptions {
            alpn: match http.alpn {
                contract::Alpn::H1 => types::Alpn::H1,
                contract::Alpn::H2 => types::Alpn::H2,
                contract::Alpn::H2h1 => types::Alpn::H2h1,
            },
            max_h2_streams: http.max_h2_streams,
            h2_ping_interval_ms: http.h2_ping_interval_ms,
            h2_stream_window: http.h2_stream_window,
            h2_connection_window: http.h2_connection_window,
            upgrade: match http.upgrade {
                contract::Upgrade::Websocket => types::Upgrade::Websocket,
                contract::Upgrade::Any => types::Upgrade::Any,
                contract::Upgrade::Deny => types::Upgrade::Deny,
            },
            quirks: flags.fold(types::Quirks::empty(), |all, flag| all | flag),
        }
    }

    fn of_headers(headers: Vec<contract::Header>) -> Vec<types::Header> {
        headers.into_iter().map(|header| types::Header { name: header.name, value: header.value }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_of_a_decision_is_lost(decision in decision()) {
            prop_assert_eq!(contract::Decision::from(types::Decision::from(decision.clone())), decision);
        }
    }
}
