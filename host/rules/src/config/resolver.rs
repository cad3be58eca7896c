//! Reads `[resolver]`.

use std::net::{IpAddr, SocketAddr};

use crate::config::problem::shown;
use crate::config::section::{Section, Unit};
use crate::config::{Families, ResolverConfig};

const FAMILIES: [(&str, Families); 3] = [("both", Families::Both), ("ipv4", Families::Ipv4), ("ipv6", Families::Ipv6)];

/// The port on which name servers listen.
const DNS_PORT: u16 = 53;

/// A day, in seconds: no answer is believed for longer.
const DAY_S: u64 = 86_400;

/// A minute, in seconds: the boundary between the ranges of the least and the greatest TTL, so that they never cross.
const MINUTE_S: u64 = 60;

pub fn read(section: Option<Section<'_>>) -> ResolverConfig {
    let defaults = ResolverConfig::default();
    let Some(mut section) = section else { return defaults };
    let config = ResolverConfig {
        servers: servers(&mut section),
        hosts_file: section.path("hosts_file"),
        families: section.choice("families", &FAMILIES).unwrap_or(defaults.families),
        // At most a minute, which is far longer than any client waits.
        timeout: section.milliseconds("timeout_ms", 1..=60_000).unwrap_or(defaults.timeout),
        cache_entries: section.number("cache_entries", 1..=1_000_000, Unit::Things).unwrap_or(defaults.cache_entries),
        min_ttl: section.seconds("min_ttl_s", 0..=MINUTE_S).unwrap_or(defaults.min_ttl),
        max_ttl: section.seconds("max_ttl_s", MINUTE_S..=DAY_S).unwrap_or(defaults.max_ttl),
        negative_ttl: section.seconds("negative_ttl_s", 1..=DAY_S).unwrap_or(defaults.negative_ttl),
        stale: section.seconds("stale_s", 0..=DAY_S).unwrap_or(defaults.stale),
    };
    section.finish();
    config
}

fn servers(section: &mut Section<'_>) -> Vec<SocketAddr> {
    let findings = section.findings();
    let texts = section.strings("servers").unwrap_or_default().into_iter();
    let servers = texts.filter_map(|text| {
        let with_port = text.value.parse::<SocketAddr>().ok();
        let server = with_port.or_else(|| Some(SocketAddr::new(text.value.parse::<IpAddr>().ok()?, DNS_PORT)));
        if server.is_none() {
            let message = "must be an IP address, with a port unless that is 53, such as \"192.0.2.53\"";
            findings.add(&text.place, format!("{message}, found `{}`", shown(text.value)));
        }
        server
    });
    servers.collect()
}
