//! Reads `[[listener]]`.

use crate::config::claims::{Claims, ListenerKind};
use crate::config::name::name;
use crate::config::section::{DAY_MS, Section, Unit};
use crate::config::{Http2Config, ListenerConfig, ListenerTls, forwarded};

/// None if there is no name or no address.
pub fn read<'t>(mut section: Section<'t>, claims: &mut Claims<'t>) -> Option<ListenerConfig> {
    section.require("name", "\"web\"");
    section.require("address", "\"0.0.0.0:8080\"");
    let name = name(&mut section);
    let address = section.address("address");
    let tls = section.table("tls");
    if let Some(name) = &name {
        claims.listener_name(name, if tls.is_some() { ListenerKind::Tls } else { ListenerKind::Plain });
    }
    if let Some(address) = &address {
        claims.address(address);
    }
    let h2c = section.boolean("h2c");
    if tls.is_some() && h2c == Some(true) {
        section
            .problem("h2c", "cannot be combined with `tls`: it is HTTP/2 without TLS, and with TLS ALPN negotiates it");
    }
    let default_h2c = ListenerConfig::H2C && tls.is_none();
    // Below the range, the heads of browsers would not fit; above it, a single head is a burden.
    let max_head_bytes = section.number("max_head_bytes", 1024..=1_000_000, Unit::Bytes);
    let first_byte_timeout = section.milliseconds("first_byte_timeout_ms", 1..=DAY_MS);
    let head_timeout = section.milliseconds("head_timeout_ms", 1..=DAY_MS);
    let keepalive_timeout = section.milliseconds("keepalive_timeout_ms", 1..=DAY_MS);
    let body_timeout = section.milliseconds("body_timeout_ms", 1..=DAY_MS);
    // Above the range, a client on a slow line could not send at all.
    let body_rate = section.number("body_bytes_per_s", 0..=1_000_000_u64, Unit::Bytes);
    let send_timeout = section.milliseconds("send_timeout_ms", 1..=DAY_MS);
    let max_requests = section.number("max_requests", 1..=u64::from(u32::MAX), Unit::Things);
    let max_age = section.milliseconds("max_age_ms", 1..=DAY_MS);
    let linger = section.milliseconds("linger_ms", 0..=60_000);
    let max_connections = section.number("max_connections", 1..=1_000_000_usize, Unit::Things);
    let max_connections_per_client = section.number("max_connections_per_client", 1..=1_000_000_usize, Unit::Things);
    let http2 = http2(&mut section);
    let forwarded = forwarded::read(section.table("forwarded"));
    section.finish();
    let tls = tls.and_then(read_tls);
    let defaults = ListenerConfig::new(name?.value.to_owned(), address?.value);
    Some(ListenerConfig {
        tls,
        h2c: h2c.unwrap_or(default_h2c),
        max_head_bytes: max_head_bytes.unwrap_or(defaults.max_head_bytes),
        first_byte_timeout: first_byte_timeout.unwrap_or(defaults.first_byte_timeout),
        head_timeout: head_timeout.unwrap_or(defaults.head_timeout),
        keepalive_timeout: keepalive_timeout.unwrap_or(defaults.keepalive_timeout),
        body_timeout: body_timeout.unwrap_or(defaults.body_timeout),
        body_rate: body_rate.unwrap_or(defaults.body_rate),
        send_timeout: send_timeout.unwrap_or(defaults.send_timeout),
        max_requests: max_requests.unwrap_or(defaults.max_requests),
        max_age: max_age.unwrap_or(defaults.max_age),
        linger: linger.unwrap_or(defaults.linger),
        max_connections,
        max_connections_per_client,
        http2,
        forwarded,
        ..defaults
    })
}

fn http2(section: &mut Section<'_>) -> Http2Config {
    let defaults = Http2Config::default();
    // Browsers open dozens of streams at once; above the range, a single connection is a burden.
    let max_streams = section.number("h2_max_streams", 1..=1000, Unit::Things);
    let send_buffer = section.number("h2_send_buffer_bytes", 16_384..=16_777_216_usize, Unit::Bytes);
    // Every stream and connection starts with a window of 65,535 bytes (RFC 9113, section 6.9.2), which can't be taken
    // back.
    let stream_window = section.number("h2_stream_window_bytes", 65_535..=16_777_216, Unit::Bytes);
    let connection_window = section.number("h2_connection_window_bytes", 65_535..=268_435_456, Unit::Bytes);
    Http2Config {
        max_streams: max_streams.unwrap_or(defaults.max_streams),
        send_buffer_bytes: send_buffer.unwrap_or(defaults.send_buffer_bytes),
        stream_window_bytes: stream_window.unwrap_or(defaults.stream_window_bytes),
        connection_window_bytes: connection_window.unwrap_or(defaults.connection_window_bytes),
    }
}

fn read_tls(mut section: Section<'_>) -> Option<ListenerTls> {
    section.require("certificate", "\"server.pem\"");
    section.require("key", "\"server.key\"");
    let certificate = section.path("certificate");
    let key = section.path("key");
    let handshake_timeout = section.milliseconds("handshake_timeout_ms", 1..=DAY_MS);
    section.finish();
    Some(ListenerTls {
        certificate: certificate?,
        key: key?,
        handshake_timeout: handshake_timeout.unwrap_or(ListenerTls::HANDSHAKE_TIMEOUT),
    })
}
