//! Checks the HTTP options towards the upstream.

use std::time::Duration;

use crate::check::refusal::{At, within};
use crate::check::spec::HttpSpec;
use crate::check::{Problem, Refusal};
use crate::config::UpstreamDefaults;
use crate::contract::{self, Alpn};

pub fn check(raw: &contract::HttpOptions, has_tls: bool, defaults: &UpstreamDefaults) -> Result<HttpSpec, Refusal> {
    if raw.alpn == Alpn::H2h1 && !has_tls {
        return Err(Problem::Rule("`h2h1` is negotiated by TLS; without it choose `h1` or `h2`").at("peer.http.alpn"));
    }
    if raw.alpn == Alpn::H1 {
        for (given, field) in [
            (raw.max_h2_streams.is_some(), "peer.http.max-h2-streams"),
            (raw.h2_ping_interval_ms.is_some(), "peer.http.h2-ping-interval-ms"),
            (raw.h2_stream_window.is_some(), "peer.http.h2-stream-window"),
            (raw.h2_connection_window.is_some(), "peer.http.h2-connection-window"),
        ] {
            if given {
                return Err(Problem::Rule("it has no effect with `alpn: h1`").at(field));
            }
        }
    }
    let streams = raw.max_h2_streams.unwrap_or(defaults.max_h2_streams);
    let ping = raw.h2_ping_interval_ms.map(|interval| within(interval, 1000, 86_400_000, " ms")).transpose();
    // HTTP/2's own bounds for a window (RFC 9113, section 6.9.2).
    let window = |bytes: Option<u32>| bytes.map(|bytes| within(bytes, 65_535, 2_147_483_647, " bytes")).transpose();
    Ok(HttpSpec {
        alpn: raw.alpn,
        max_h2_streams: within(streams, 1, 65_535, " streams").at("peer.http.max-h2-streams")?,
        h2_ping_interval: ping
            .at("peer.http.h2-ping-interval-ms")?
            .map(|interval| Duration::from_millis(interval.into())),
        h2_stream_window: window(raw.h2_stream_window).at("peer.http.h2-stream-window")?,
        h2_connection_window: window(raw.h2_connection_window).at("peer.http.h2-connection-window")?,
        upgrade: raw.upgrade,
        quirks: raw.quirks,
    })
}
