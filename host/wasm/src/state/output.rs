//! Buffers a module's standard output and error until a line ends.

use pointsman_rules::contract::Level;

use crate::state::State;

/// Bytes that were written since the last end of a line.
#[derive(Debug, Default)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    pub fn text(line: &[u8]) -> String {
        String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
    }
}

impl State {
    /// Logs the lines that were unfinished when the module ended.
    pub fn finish_output(&mut self) {
        let Output { stdout, stderr } = std::mem::take(&mut self.wasi_output);
        for (unfinished, level) in [(stdout, Level::Info), (stderr, Level::Warn)] {
            if !unfinished.is_empty() {
                self.lines.push(level, &Output::text(&unfinished));
            }
        }
    }
}
