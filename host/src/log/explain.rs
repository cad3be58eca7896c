//! Prints decisions to standard output for `pointsman dev`.

use std::io::{self, Write as _};

use pointsman_rules::text::printable_lines;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Writes without ever blocking a request; text that exceeds the buffer is lost.
pub struct Explain {
    writer: NonBlocking,
    /// Writes the queued text when dropped.
    _guard: WorkerGuard,
}

impl Explain {
    pub fn start() -> Explain {
        let (writer, guard) = NonBlockingBuilder::default().finish(io::stdout());
        Explain { writer, _guard: guard }
    }

    pub fn write(&self, text: &str) {
        // The writer queues; it fails only when its thread has ended, at the very end of the process.
        let _ = self.writer.clone().write_all(printable_lines(text).as_bytes());
    }
}
