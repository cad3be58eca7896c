//! `[proxy]` and `[log]`.

use std::time::Duration;

use crate::config::read::Paths;
use crate::config::section::Section;
use crate::config::{AccessLog, LogConfig, LogFormat, LogLevel, ProxyConfig};

/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

pub const MS: &str = " (milliseconds)";

pub fn proxy(section: Option<Section<'_>>, paths: &Paths) -> ProxyConfig {
    let mut config = ProxyConfig {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        idle_connections: ProxyConfig::IDLE_CONNECTIONS,
        ca_file: None,
        error_header: ProxyConfig::ERROR_HEADER,
        shutdown_timeout: ProxyConfig::SHUTDOWN_TIMEOUT,
    };
    let Some(mut section) = section else { return config };
    set_size(&mut config.threads, section.integer("threads", 1..=1024, ""));
    set_size(&mut config.idle_connections, section.integer("idle_connections", 0..=1_000_000, ""));
    config.ca_file = section.string("ca_file").and_then(|path| paths.resolve(&path, section.findings()));
    if let Some(error_header) = section.boolean("error_header") {
        config.error_header = error_header;
    }
    set_time(&mut config.shutdown_timeout, section.integer("shutdown_timeout_ms", 0..=DAY_MS, MS));
    section.finish();
    config
}

pub fn log(section: Option<Section<'_>>, paths: &Paths) -> LogConfig {
    let mut config = LogConfig { level: LogConfig::LEVEL, format: LogConfig::FORMAT, access: LogConfig::ACCESS };
    let Some(mut section) = section else { return config };
    if let Some(level) = section.string("level") {
        match level.value {
            "error" => config.level = LogLevel::Error,
            "warn" => config.level = LogLevel::Warn,
            "info" => config.level = LogLevel::Info,
            "debug" => config.level = LogLevel::Debug,
            "trace" => config.level = LogLevel::Trace,
            _ => section.problem("level", "must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\""),
        }
    }
    if let Some(format) = section.string("format") {
        match format.value {
            "text" => config.format = LogFormat::Text,
            "json" => config.format = LogFormat::Json,
            _ => section.problem("format", "must be \"text\" or \"json\""),
        }
    }
    if let Some(access) = access(&mut section, paths) {
        config.access = access;
    }
    section.finish();
    config
}

/// `"off"`, `"stdout"`, or a file in a table.
fn access(section: &mut Section<'_>, paths: &Paths) -> Option<AccessLog> {
    const WHAT: &str = "must be \"off\", \"stdout\" or { file = \"...\" }";
    let value = section.any("access")?;
    if value.value.is_table() {
        let mut table = section.table("access")?;
        let file = table.required_string("file").and_then(|path| paths.resolve(&path, table.findings()));
        table.finish();
        return file.map(AccessLog::File);
    }
    match value.value.as_str() {
        Some("off") => Some(AccessLog::Off),
        Some("stdout") => Some(AccessLog::Stdout),
        _ => {
            section.problem("access", WHAT);
            None
        }
    }
}

pub fn set_size(field: &mut usize, value: Option<u64>) {
    if let Some(value) = value.and_then(|value| usize::try_from(value).ok()) {
        *field = value;
    }
}

pub fn set_time(field: &mut Duration, milliseconds: Option<u64>) {
    if let Some(milliseconds) = milliseconds {
        *field = Duration::from_millis(milliseconds);
    }
}
