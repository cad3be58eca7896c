//! The access log: for each request its head, the decision and the outcome.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pointsman_rules::config::{AccessLog, LogConfig, LogFormat};
use pointsman_rules::text::{json, printable_line};
use serde::Serialize;

use crate::log::sink::Sink;

/// The record of one request.
#[derive(Debug, Serialize)]
pub struct Access<'a> {
    /// When the request head was complete, RFC 3339, UTC.
    pub time: String,
    pub listener: &'a str,
    pub client_ip: String,
    pub method: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub protocol: &'static str,
    /// 0: no response was sent, because the client had gone.
    pub status: u16,
    /// Body bytes sent to the client.
    pub bytes: usize,
    /// From the complete head to the end of the response, in milliseconds.
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<&'a str>,
    /// The version of the tenant's modules that served the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Digest of the module that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// `connect` or `respond`. None: no module decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'static str>,
    /// Whether the decision came from the cache, so that the module was not called.
    #[serde(skip_serializing_if = "is_false")]
    pub cached: bool,
    /// All decisions of this request, in microseconds.
    pub decision_us: u64,
    /// The fallback that replaced the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackRecord>,
    /// The note that the module gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'a str>,
    /// The last upstream, in the module's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The actual address of the last connection if the module named something else: a resolved name, or a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_address: Option<String>,
    /// Number of attempts, including the successful one.
    pub attempts: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<AttemptRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FailureRecord>,
}

/// An attempt that failed.
#[derive(Debug, Serialize)]
pub struct AttemptRecord {
    pub upstream: String,
    pub failure: String,
    pub elapsed_ms: u32,
}

/// A decision that failed, and the level of the tenant's fallback that served instead.
#[derive(Debug, Clone, Serialize)]
pub struct FallbackRecord {
    pub level: &'static str,
    pub code: &'static str,
    pub cause: String,
}

/// Why the proxy generated the response itself.
#[derive(Debug, Clone, Serialize)]
pub struct FailureRecord {
    pub code: &'static str,
    pub cause: String,
}

/// Writes the access log without ever blocking a request.
#[derive(Debug, Clone)]
pub struct AccessLogger {
    sink: Option<Arc<Sink>>,
    format: LogFormat,
    /// None: the target is not a file, so it cannot be reopened.
    file: Option<Arc<Path>>,
}

/// An access log that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    #[error("log.access: cannot open `{path}`")]
    Open { path: PathBuf, source: io::Error },
    #[error("log.access: cannot start its thread")]
    Thread { source: io::Error },
}

impl AccessLogger {
    pub fn open(config: &LogConfig) -> Result<AccessLogger, AccessLogError> {
        let no_thread = |source| AccessLogError::Thread { source };
        let (sink, file) = match &config.access {
            AccessLog::Off => (None, None),
            AccessLog::Stdout => {
                let sink = Sink::new(io::stdout(), || Ok(io::stdout())).map_err(no_thread)?;
                (Some(Arc::new(sink)), None)
            }
            AccessLog::File(path) => {
                let file: Arc<Path> = path.as_path().into();
                let first = append_to(&file).map_err(|source| AccessLogError::Open { path: path.clone(), source })?;
                let again = {
                    let file = file.clone();
                    move || {
                        let opened = append_to(&file);
                        opened.map_err(|error| io::Error::other(format!("`{}`: {error}", file.display())))
                    }
                };
                (Some(Arc::new(Sink::new(first, again).map_err(no_thread)?)), Some(file))
            }
        };
        Ok(AccessLogger { sink, format: config.format, file })
    }

    /// Reopens its file, which has been renamed or removed. The diagnostics report the result; on failure, lines go to
    /// the old file as before.
    pub fn reopen(&self) {
        match (&self.sink, &self.file) {
            (Some(sink), Some(_)) => sink.reopen(),
            _ => tracing::info!("the access log is not a file: nothing to reopen"),
        }
    }

    /// Whether lines are written at all: if not, none needs to be formatted.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    pub fn write(&self, access: &Access<'_>) {
        if let Some(sink) = &self.sink {
            sink.push(line(access, self.format).as_bytes());
        }
    }

    /// Waits until all lines are written, for at most `longest`.
    pub fn flush(&self, longest: Duration) {
        if let Some(sink) = &self.sink {
            sink.flush(longest);
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Formats a request's line, with its line break. Escapes text from a client or a module, so that it shows as it is.
fn line(access: &Access<'_>, format: LogFormat) -> String {
    let mut line = match format {
        LogFormat::Json => json(access),
        LogFormat::Text => printable_line(&text(access)).into_owned(),
    };
    line.push('\n');
    line
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_false(value: &bool) -> bool {
    !value
}

fn text(access: &Access<'_>) -> String {
    let mut line = format!(
        "{} {} {} {}{} {} {} {}B {:.1}ms",
        access.time,
        access.client_ip,
        access.method,
        word(access.authority),
        access.path,
        access.protocol,
        access.status,
        access.bytes,
        access.duration_ms,
    );
    let mut add = |name: &str, value: &str| {
        // Writing to a `String` can't fail.
        let _ = write!(line, " {name}={value}");
    };
    if let Some(tenant) = access.tenant {
        add("tenant", tenant);
    }
    if let Some(module) = &access.module {
        add("module", module);
    }
    if let Some(decision) = access.decision {
        add("decision", decision);
        if access.cached {
            add("cached", "true");
        }
        add("decision_us", &access.decision_us.to_string());
    }
    if let Some(fallback) = &access.fallback {
        add("fallback", fallback.level);
        add("fallback_code", fallback.code);
        add("fallback_cause", &format!("{:?}", fallback.cause));
    }
    if let Some(note) = access.note {
        add("note", &format!("{note:?}"));
    }
    if let Some(upstream) = &access.upstream {
        add("upstream", &word(upstream));
    }
    if let Some(address) = &access.upstream_address {
        add("upstream_address", &word(address));
    }
    if access.attempts > 1 {
        add("attempts", &access.attempts.to_string());
    }
    for attempt in &access.failed_attempts {
        add("failed", &word(&format!("{}:{}:{}ms", attempt.upstream, attempt.failure, attempt.elapsed_ms)));
    }
    if let Some(error) = &access.error {
        add("error", error.code);
        add("cause", &format!("{:?}", error.cause));
    }
    line
}

/// A value that reads as one word, even if it comes from a client or a module.
fn word(value: &str) -> Cow<'_, str> {
    let plain = |character: char| !character.is_whitespace() && !character.is_control() && character != '"';
    if value.chars().all(plain) { Cow::Borrowed(value) } else { Cow::Owned(format!("{value:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bidirectional_and_invisible_characters_are_escaped_in_a_line() {
        let access = Access {
            time: "2026-11-24T15:38:37.000Z".to_owned(),
            listener: "web",
            client_ip: "192.0.2.1".to_owned(),
            method: "GET",
            authority: "shop.test",
            path: "/a\u{202e}b\u{9b}",
            protocol: "HTTP/1.1",
            status: 502,
            bytes: 0,
            duration_ms: 1.0,
            tenant: Some("shop"),
            version: Some(1),
            module: None,
            decision: Some("connect"),
            cached: false,
            decision_us: 2,
            fallback: None,
            note: Some("note\u{2066}\u{200b}"),
            upstream: Some("unix:/a\u{202e}b".to_owned()),
            upstream_address: None,
            attempts: 1,
            failed_attempts: Vec::new(),
            error: Some(FailureRecord { code: "upstream-refused", cause: "\u{feff}cause\u{7f}".to_owned() }),
        };
        let text = line(&access, LogFormat::Text);
        let expected = "2026-11-24T15:38:37.000Z 192.0.2.1 GET shop.test/a\\u{202e}b\\u{9b} HTTP/1.1 502 0B 1.0ms \
                        tenant=shop decision=connect decision_us=2 note=\"note\\u{2066}\\u{200b}\" \
                        upstream=unix:/a\\u{202e}b error=upstream-refused cause=\"\\u{feff}cause\\u{7f}\"\n";
        assert_eq!(text, expected);
        let text = line(&access, LogFormat::Json);
        assert!(text.trim_end().bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["note"], "note\u{2066}\u{200b}");
    }

    #[test]
    fn value_with_a_space_or_a_quote_is_quoted() {
        assert_eq!(word("unix:/run/app.sock"), "unix:/run/app.sock");
        assert_eq!(word("unix:/run/a status=200"), "\"unix:/run/a status=200\"");
        assert_eq!(word("a\"b"), r#""a\"b""#);
    }
}
