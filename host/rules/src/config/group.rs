//! Reads `[[tenant.group]]` and `[tenant.group.health_check]`.

use http::uri::PathAndQuery;

use crate::config::name::name;
use crate::config::problem::shown;
use crate::config::section::{Placed, Section, Unit};
use crate::config::{GroupConfig, HealthCheckConfig, Probe};

/// None if there is no name.
pub fn read<'t>(mut section: Section<'t>) -> Option<(Placed<&'t str>, GroupConfig)> {
    section.require("name", "\"backends\"");
    let name = name(&mut section);
    let addresses = section.required_addresses("addresses", "[\"203.0.113.7:80\"]");
    let health_check = section.table("health_check").map(health_check);
    section.finish();
    let name = name?;
    let addresses = addresses.into_iter().map(|address| address.value).collect();
    let group = GroupConfig { name: name.value.to_owned(), addresses, health_check };
    Some((name, group))
}

fn health_check(mut section: Section<'_>) -> HealthCheckConfig {
    let path = path(&mut section);
    let host = section.header_value("host", "must be a valid value of the header `host`, such as \"backend.internal\"");
    if path.is_none() && host.is_some() {
        section.problem("host", "has no effect without `path`: no request is sent then");
    }
    // The upper ends are an hour, and more probes than anybody waits for.
    let interval = section.milliseconds("interval_ms", 10..=3_600_000);
    let timeout = section.milliseconds("timeout_ms", 1..=60_000);
    let mut times = |key, default| section.number(key, 1..=1_000, Unit::Things).unwrap_or(default);
    let successes = times("successes", HealthCheckConfig::SUCCESSES);
    let failures = times("failures", HealthCheckConfig::FAILURES);
    section.finish();
    HealthCheckConfig {
        probe: path.map_or(Probe::Tcp, |path| Probe::Http { path, host }),
        interval: interval.unwrap_or(HealthCheckConfig::INTERVAL),
        timeout: timeout.unwrap_or(HealthCheckConfig::TIMEOUT),
        successes,
        failures,
    }
}

fn path(section: &mut Section<'_>) -> Option<String> {
    let text = section.string("path")?;
    if text.value.starts_with('/') && text.value.parse::<PathAndQuery>().is_ok() {
        return Some(text.value.to_owned());
    }
    let message = "must be a path that a request can carry, such as \"/health\"";
    section.findings().add(&text.place, format!("{message}, found `{}`", shown(text.value)));
    None
}
