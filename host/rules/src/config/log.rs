//! Reads `[log]`.

use toml::de::DeValue;

use crate::config::problem::shown;
use crate::config::section::{Section, kind};
use crate::config::{AccessLog, LogConfig, LogFormat, LogLevel};

const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

pub fn read(section: Option<Section<'_>>) -> LogConfig {
    let defaults = LogConfig { level: LogConfig::LEVEL, format: LogConfig::FORMAT, access: LogConfig::ACCESS };
    let Some(mut section) = section else { return defaults };
    let config = LogConfig {
        level: section.choice("level", &LEVELS).unwrap_or(defaults.level),
        format: section.choice("format", &FORMATS).unwrap_or(defaults.format),
        access: access(&mut section).unwrap_or(defaults.access),
    };
    section.finish();
    config
}

fn access(section: &mut Section<'_>) -> Option<AccessLog> {
    let value = section.any("access")?;
    let found = match value.value {
        DeValue::Table(_) => {
            let mut table = section.table("access")?;
            table.require("file", "\"access.log\"");
            let file = table.path("file");
            table.finish();
            return file.map(AccessLog::File);
        }
        DeValue::String(text) if text == "off" => return Some(AccessLog::Off),
        DeValue::String(text) if text == "stdout" => return Some(AccessLog::Stdout),
        DeValue::String(text) => format!("`{}`", shown(text)),
        other => kind(other).to_owned(),
    };
    section.problem("access", format!("must be \"off\", \"stdout\" or {{ file = \"...\" }}, found {found}"));
    None
}
