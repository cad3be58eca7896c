//! Diagnostics: one subscriber for our own events and for those of the libraries.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Keeps the log's writer thread alive; dropping it writes what is still queued.
pub struct LogGuard(#[expect(dead_code, reason = "held for its drop")] tracing_appender::non_blocking::WorkerGuard);

/// Starts logging to standard error. Called once, by the binary; a second call changes nothing.
pub fn start(config: &LogConfig) -> LogGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(config.level))
        .with_span_events(FmtSpan::NONE)
        .with_ansi(false)
        .with_writer(writer);
    // Fails only if a subscriber is set already: then that one stays.
    let _ = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    LogGuard(guard)
}

/// Our own events at the configured level. Pingora logs each failed request as an error; those are in the access log,
/// with their cause, so its messages are shown only to who asks for debug output.
fn filter(level: LogLevel) -> EnvFilter {
    let directives = match level {
        LogLevel::Error => "off,pointsman=error",
        LogLevel::Warn => "off,pointsman=warn",
        LogLevel::Info => "off,pointsman=info",
        LogLevel::Debug => "info,pointsman=debug",
        LogLevel::Trace => "debug,pointsman=trace",
    };
    EnvFilter::new(directives)
}
