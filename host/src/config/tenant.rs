//! `[[tenant]]` and what is below it.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use toml::de::DeValue;

use crate::config::hostname;
use crate::config::read::Paths;
use crate::config::section::{Findings, Placed, Section};
use crate::config::settings::{DAY_MS, MS, set_size, set_time};
use crate::config::{
    FailureAnswer, Grants, HostPattern, Limits, ModuleConfig, TcpKeepalive, TenantConfig, UpstreamDefaults,
};

/// Where a tenant's keys stand, for messages about several tenants.
pub struct Places {
    pub name: Placed<()>,
    pub hostnames: Vec<Placed<()>>,
}

pub fn read(mut section: Section<'_>, paths: &Paths) -> Option<(TenantConfig, Places)> {
    let name = section.required_string("name").and_then(|name| checked_name(&name, section.findings()));
    let hostnames = hostnames(&mut section);
    const NO_MODULE: &str = "is missing: a tenant needs at least one `[[tenant.module]]`";
    let tables = section.tables("module", NO_MODULE);
    let modules: Vec<ModuleConfig> = tables.into_iter().filter_map(|section| module(section, paths)).collect();
    let limits = limits(section.table("limits"));
    let upstream = upstream(section.table("upstream"));
    let failure = failure(section.table("failure"));
    let grants = grants(section.table("grants"));
    section.finish();

    let name = name?;
    let (hostnames, places): (Vec<HostPattern>, Vec<Placed<()>>) = hostnames.into_iter().unzip();
    let places = Places { name: name.place(), hostnames: places };
    let name = name.value.to_owned();
    Some((TenantConfig { name, hostnames, modules, limits, upstream, failure, grants }, places))
}

/// Names of listeners and tenants stand in logs and metrics.
pub fn checked_name<'t>(name: &Placed<&'t str>, findings: &Findings<'_>) -> Option<Placed<&'t str>> {
    let fits = (1..=64).contains(&name.value.len());
    if fits && name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Some(name.clone());
    }
    findings.add_at(name, "must be 1 to 64 letters, digits, `-`, `_` or `.`");
    None
}

fn hostnames(section: &mut Section<'_>) -> Vec<(HostPattern, Placed<()>)> {
    let findings = section.findings();
    let texts = section.strings("hostnames").unwrap_or_default();
    if texts.is_empty() {
        section.problem("hostnames", "is missing: a tenant needs at least one, and `\"*\"` takes any host");
    }
    let mut patterns = Vec::new();
    for text in texts {
        match hostname::pattern(text.value) {
            Ok(pattern) => patterns.push((pattern, text.place())),
            Err(why) => findings.add_at(&text, why),
        }
    }
    patterns
}

fn module(mut section: Section<'_>, paths: &Paths) -> Option<ModuleConfig> {
    let findings = section.findings();
    let path = section.required_string("path");
    let config = match section.any("config") {
        None => Value::Object(Map::new()),
        Some(value) if value.value.is_table() => json(value.value, &value.path, value.offset, findings),
        Some(_) => {
            section.problem("config", "must be a table");
            Value::Null
        }
    };
    section.finish();
    Some(ModuleConfig { path: paths.resolve(&path?, findings)?, config })
}

/// A TOML value as JSON; dates become strings.
fn json(value: &DeValue<'_>, path: &str, offset: usize, findings: &Findings<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix());
            number.map_or_else(
                |_| {
                    findings.add(offset, path, "is not an integer of 64 bits");
                    Value::Null
                },
                Value::from,
            )
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(
                || {
                    findings.add(offset, path, "must be a finite number: JSON has no `inf` and no `nan`");
                    Value::Null
                },
                Value::Number,
            )
        }
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .map(|(index, item)| json(item.get_ref(), &format!("{path}[{index}]"), item.span().start, findings))
            .collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, item)| {
                let name = key.get_ref().to_string();
                let value = json(item.get_ref(), &format!("{path}.{name}"), item.span().start, findings);
                (name, value)
            })
            .collect::<Map<String, Value>>()
            .into(),
    }
}

fn limits(section: Option<Section<'_>>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = section else { return limits };
    set_time(&mut limits.decision, section.integer("decision_ms", 1..=10_000, MS));
    let mebibytes = section.integer("memory_mib", 1..=256, " (MiB)");
    set_size(&mut limits.memory_bytes, mebibytes.map(|mebibytes| mebibytes * 1024 * 1024));
    set_size(&mut limits.table_elements, section.integer("table_elements", 1..=20_000, ""));
    set_size(&mut limits.instances, section.integer("instances", 1..=100, ""));
    set_size(&mut limits.handles, section.integer("handles", 1..=100_000, ""));
    set_size(&mut limits.host_call_bytes, section.integer("host_call_bytes", 1024..=67_108_864, " (bytes)"));
    set_size(&mut limits.log_bytes, section.integer("log_bytes", 0..=1_048_576, " (bytes)"));
    let attempts = section.integer("attempts", 1..=16, "").and_then(|attempts| u32::try_from(attempts).ok());
    limits.attempts = attempts.unwrap_or(limits.attempts);
    let body = section.integer("response_body_bytes", 0..=16_777_216, " (bytes)");
    set_size(&mut limits.response_body_bytes, body);
    section.finish();
    limits
}

fn upstream(section: Option<Section<'_>>) -> UpstreamDefaults {
    let mut defaults = UpstreamDefaults::default();
    let Some(mut section) = section else { return defaults };
    set_time(&mut defaults.connect_timeout, section.integer("connect_timeout_ms", 1..=DAY_MS, MS));
    set_time(&mut defaults.total_connect_timeout, section.integer("total_connect_timeout_ms", 1..=DAY_MS, MS));
    set_time(&mut defaults.read_timeout, section.integer("read_timeout_ms", 1..=DAY_MS, MS));
    set_time(&mut defaults.write_timeout, section.integer("write_timeout_ms", 1..=DAY_MS, MS));
    set_time(&mut defaults.idle_timeout, section.integer("idle_timeout_ms", 0..=DAY_MS, MS));
    let streams = section.integer("max_h2_streams", 1..=65_535, "").and_then(|streams| u32::try_from(streams).ok());
    defaults.max_h2_streams = streams.unwrap_or(defaults.max_h2_streams);
    defaults.tcp_keepalive = section.table("tcp_keepalive").and_then(tcp_keepalive);
    section.finish();
    defaults
}

fn tcp_keepalive(mut section: Section<'_>) -> Option<TcpKeepalive> {
    const SECONDS: &str = " (seconds)";
    for key in ["idle_s", "interval_s", "count"] {
        if !section.has(key) {
            section.problem(key, "is missing");
        }
    }
    let idle = section.integer("idle_s", 1..=32_767, SECONDS);
    let interval = section.integer("interval_s", 1..=32_767, SECONDS);
    let count = section.integer("count", 1..=127, "");
    let user_timeout = section.integer("user_timeout_ms", 0..=DAY_MS, MS);
    section.finish();
    Some(TcpKeepalive {
        idle: Duration::from_secs(idle?),
        interval: Duration::from_secs(interval?),
        count: u32::try_from(count?).ok()?,
        user_timeout: Duration::from_millis(user_timeout.unwrap_or(0)),
    })
}

fn failure(section: Option<Section<'_>>) -> FailureAnswer {
    let mut answer = FailureAnswer::default();
    let Some(mut section) = section else { return answer };
    let status = section.integer("status", 400..=599, "").and_then(|status| u16::try_from(status).ok());
    answer.status = status.and_then(|status| StatusCode::from_u16(status).ok());
    if let Some(body) = section.string("body") {
        answer.body = body.value.to_owned();
    }
    if let Some(content_type) = section.string("content_type") {
        match HeaderValue::from_str(content_type.value) {
            Ok(_) => answer.content_type = content_type.value.to_owned(),
            Err(_) => section.problem("content_type", "must be a valid header value, such as \"text/html\""),
        }
    }
    section.finish();
    answer
}

fn grants(section: Option<Section<'_>>) -> Grants {
    let mut grants = Grants::default();
    let Some(mut section) = section else { return grants };
    for level in section.strings("verify").unwrap_or_default() {
        match level.value {
            "chain-only" => grants.verify_chain_only = true,
            "none" => grants.verify_none = true,
            _ => section.findings().add_at(&level, "must be \"chain-only\" or \"none\""),
        }
    }
    grants.bind_to = section.boolean("bind_to").unwrap_or(grants.bind_to);
    section.finish();
    grants
}
