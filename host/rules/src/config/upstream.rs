//! Reads `[tenant.upstream]`; ranges as in the WIT record `peer`.

use std::time::Duration;

use crate::config::section::{DAY_MS, Section, Unit};
use crate::config::{TcpKeepalive, UpstreamDefaults};

pub fn read(section: Option<Section<'_>>) -> UpstreamDefaults {
    let defaults = UpstreamDefaults::default();
    let Some(mut section) = section else { return defaults };
    let mut time = |key, least, default| section.milliseconds(key, least..=DAY_MS).unwrap_or(default);
    let upstream = UpstreamDefaults {
        connect_timeout: time("connect_timeout_ms", 1, defaults.connect_timeout),
        total_connect_timeout: time("total_connect_timeout_ms", 1, defaults.total_connect_timeout),
        read_timeout: time("read_timeout_ms", 1, defaults.read_timeout),
        write_timeout: time("write_timeout_ms", 1, defaults.write_timeout),
        overall_timeout: time("overall_timeout_ms", 1, defaults.overall_timeout),
        idle_timeout: time("idle_timeout_ms", 0, defaults.idle_timeout),
        max_h2_streams: section.number("max_h2_streams", 1..=65_535, Unit::Things).unwrap_or(defaults.max_h2_streams),
        tcp_keepalive: section.table("tcp_keepalive").and_then(tcp_keepalive),
    };
    section.finish();
    upstream
}

/// The ranges are those of Linux: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT.
fn tcp_keepalive(mut section: Section<'_>) -> Option<TcpKeepalive> {
    section.require("idle_s", "60");
    section.require("interval_s", "5");
    section.require("count", "3");
    let idle = section.seconds("idle_s", 1..=32_767);
    let interval = section.seconds("interval_s", 1..=32_767);
    let count = section.number("count", 1..=127, Unit::Things);
    let user_timeout = section.milliseconds("user_timeout_ms", 0..=DAY_MS).unwrap_or(Duration::ZERO);
    section.finish();
    Some(TcpKeepalive { idle: idle?, interval: interval?, count: count?, user_timeout })
}
