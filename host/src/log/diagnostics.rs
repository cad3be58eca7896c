//! Diagnostics: one subscriber for our own events and those of libraries.

use std::io;

use parking_lot::Mutex;
use pointsman_rules::config::{LogConfig, LogFormat, LogLevel};
use pointsman_rules::text::{escaped_json, printable_lines};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The log's writer thread while it runs.
static WORKER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Keeps the log's writer thread alive; dropping it writes the queued events.
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        finish();
    }
}

/// Starts logging to standard error. Called once, by the binary; a second call has no effect.
pub fn start(config: &LogConfig) -> LogGuard {
    let (writer, worker) = tracing_appender::non_blocking(io::stderr());
    let format = config.format;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(config.level))
        .with_span_events(FmtSpan::NONE)
        .with_ansi(false)
        .with_writer(move || Printable { writer: writer.clone(), format });
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Fails only if a subscriber is already set, which then stays.
    if started.is_ok() {
        *WORKER.lock() = Some(worker);
    }
    LogGuard(())
}

/// Writes the queued events; later events are lost. For the end of the process.
pub fn finish() {
    drop(WORKER.lock().take());
}

/// Escapes characters that a terminal or a viewer would interpret: parts of an event may come from a module, a client
/// or a file.
struct Printable {
    writer: NonBlocking,
    format: LogFormat,
}

impl io::Write for Printable {
    /// Each call gets one whole event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let escaped = match self.format {
            LogFormat::Text => printable_lines(&text),
            LogFormat::Json => escaped_json(&text),
        };
        self.writer.write_all(escaped.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Our own events at the configured level. Pingora logs each failed request as an error; those are in the access log,
/// with their cause, so its messages appear only at debug level.
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
