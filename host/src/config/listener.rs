//! `[[listener]]`

use crate::config::claims::{Claims, HasTls};
use crate::config::section::{DAY_MS, Section, Unit};
use crate::config::tenant::name;
use crate::config::{ListenerConfig, ListenerTls, forwarded};

/// None if there is no name or no address.
pub fn read<'t>(mut section: Section<'t>, claims: &mut Claims<'t>) -> Option<ListenerConfig> {
    section.require("name", "\"web\"");
    section.require("address", "\"0.0.0.0:8080\"");
    let name = name(&mut section);
    let address = section.address("address");
    let tls = section.table("tls");
    if let Some(name) = &name {
        claims.listener_name(name, if tls.is_some() { HasTls::Yes } else { HasTls::No });
    }
    if let Some(address) = &address {
        claims.address(address);
    }
    let h2c = section.boolean("h2c");
    if tls.is_some() && h2c == Some(true) {
        section
            .problem("h2c", "must be left out beside `tls`: it is HTTP/2 without TLS, and with TLS ALPN negotiates it");
    }
    let default_h2c = ListenerConfig::H2C && tls.is_none();
    // Below the range, browsers' heads would not fit; above it, one head is a burden of its own.
    let max_head_bytes = section.number("max_head_bytes", 1024..=1_000_000, Unit::Bytes);
    let head_timeout = section.milliseconds("head_timeout_ms", 1..=DAY_MS);
    // Pingora counts whole seconds, so a shorter time could not be kept.
    let keepalive_timeout = section.milliseconds("keepalive_timeout_ms", 1000..=DAY_MS);
    let forwarded = forwarded::read(section.table("forwarded"));
    section.finish();
    let tls = tls.and_then(read_tls);
    Some(ListenerConfig {
        name: name?.value.to_owned(),
        address: address?.value,
        tls,
        h2c: h2c.unwrap_or(default_h2c),
        max_head_bytes: max_head_bytes.unwrap_or(ListenerConfig::MAX_HEAD_BYTES),
        head_timeout: head_timeout.unwrap_or(ListenerConfig::HEAD_TIMEOUT),
        keepalive_timeout: keepalive_timeout.unwrap_or(ListenerConfig::KEEPALIVE_TIMEOUT),
        forwarded,
    })
}

fn read_tls(mut section: Section<'_>) -> Option<ListenerTls> {
    section.require("certificate", "\"server.pem\"");
    section.require("key", "\"server.key\"");
    let certificate = section.path("certificate");
    let key = section.path("key");
    section.finish();
    Some(ListenerTls { certificate: certificate?, key: key? })
}
