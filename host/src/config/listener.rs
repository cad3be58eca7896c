//! `[[listener]]`

use crate::config::read::Paths;
use crate::config::section::{Placed, Section};
use crate::config::settings::{DAY_MS, MS, set_size, set_time};
use crate::config::tenant::checked_name;
use crate::config::{ListenerConfig, ListenerTls};

/// Where a listener's keys stand, for messages about several listeners.
pub struct Places {
    pub name: Placed<()>,
    pub address: Placed<()>,
}

pub fn read(mut section: Section<'_>, paths: &Paths) -> Option<(ListenerConfig, Places)> {
    let name = section.required_string("name").and_then(|name| checked_name(&name, section.findings()));
    let address = section.required_string("address").and_then(|text| match text.value.parse() {
        Ok(address) => Some(Placed { value: address, offset: text.offset, path: text.path }),
        Err(_) => {
            section.findings().add_at(&text, "must be `ip:port`, such as \"0.0.0.0:8080\" or \"[::]:8080\"");
            None
        }
    });
    let h2c = section.boolean("h2c");
    let tls = section.table("tls");
    if tls.is_some() && h2c == Some(true) {
        section.problem("h2c", "means nothing beside `tls`, where HTTP/2 is negotiated; leave it out");
    }
    let has_tls = tls.is_some();
    let tls = tls.and_then(|tls| read_tls(tls, paths));
    let mut max_head_bytes = ListenerConfig::MAX_HEAD_BYTES;
    set_size(&mut max_head_bytes, section.integer("max_head_bytes", 1024..=1_000_000, " (bytes)"));
    let mut head_timeout = ListenerConfig::HEAD_TIMEOUT;
    set_time(&mut head_timeout, section.integer("head_timeout_ms", 1..=DAY_MS, MS));
    let mut keepalive_timeout = ListenerConfig::KEEPALIVE_TIMEOUT;
    set_time(&mut keepalive_timeout, section.integer("keepalive_timeout_ms", 1000..=DAY_MS, MS));
    section.finish();

    let (name, address) = (name?, address?);
    let places = Places { name: name.place(), address: address.place() };
    let config = ListenerConfig {
        name: name.value.to_owned(),
        address: address.value,
        tls,
        h2c: !has_tls && h2c.unwrap_or(ListenerConfig::H2C),
        max_head_bytes,
        head_timeout,
        keepalive_timeout,
    };
    Some((config, places))
}

fn read_tls(mut section: Section<'_>, paths: &Paths) -> Option<ListenerTls> {
    let certificate = section.required_string("certificate");
    let key = section.required_string("key");
    let findings = section.findings();
    section.finish();
    Some(ListenerTls { certificate: paths.resolve(&certificate?, findings)?, key: paths.resolve(&key?, findings)? })
}
