//! Decisions as `pointsman dev` tells them, on standard output.

use std::io::{self, Write as _};

use pointsman_rules::text::printable_lines;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Writes without ever keeping a request waiting; what is too much is lost.
pub struct Explain {
    writer: NonBlocking,
    /// Writes what is queued when it is dropped.
    _guard: WorkerGuard,
}

impl Explain {
    pub fn start() -> Explain {
        let (writer, guard) = NonBlockingBuilder::default().finish(io::stdout());
        Explain { writer, _guard: guard }
    }

    pub fn write(&self, text: &str) {
        // The writer queues; it fails only when its thread is gone, at the very end of the process.
        let _ = self.writer.clone().write_all(printable_lines(text).as_bytes());
    }
}
