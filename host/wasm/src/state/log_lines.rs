//! Collects the lines that a module writes, within a limit, until the decision ends.

use pointsman_rules::contract::Level;
use pointsman_rules::text::printable;

/// A line that a module wrote. Its text holds no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    pub message: String,
}

/// The lines of one decision.
#[derive(Debug, Default)]
pub struct LogLines {
    lines: Vec<LogLine>,
    bytes_left: usize,
    cut: bool,
}

/// Bytes of the limit that a line costs in addition to its text, so that a flood of empty lines ends as well.
const LINE_COST: usize = 32;

const CUT: &str = " [cut: limits.log_bytes]";

impl LogLines {
    pub fn new(most_bytes: usize) -> LogLines {
        LogLines { lines: Vec::new(), bytes_left: most_bytes, cut: false }
    }

    /// Whether anything was cut, or left out.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    pub fn into_lines(self) -> Vec<LogLine> {
        self.lines
    }

    /// About how many bytes a line may have.
    pub fn room(&self) -> usize {
        self.bytes_left
    }

    pub fn is_full(&self) -> bool {
        self.bytes_left == 0
    }

    pub fn push(&mut self, level: Level, message: &str) {
        if self.bytes_left == 0 {
            self.cut = true;
            return;
        }
        let (mut text, cut) = printable(message, self.bytes_left.saturating_sub(LINE_COST));
        self.bytes_left = if cut { 0 } else { self.bytes_left.saturating_sub(text.len() + LINE_COST) };
        if cut {
            self.cut = true;
            text.push_str(CUT);
        }
        self.lines.push(LogLine { level, message: text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(most_bytes: usize, messages: &[&str]) -> Vec<String> {
        let mut lines = LogLines::new(most_bytes);
        for message in messages {
            lines.push(Level::Info, message);
        }
        lines.into_lines().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn lines_beyond_the_limit_are_cut_and_marked() {
        assert_eq!(lines(LINE_COST + 4, &["abcdefgh", "next"]), [format!("abcd{CUT}")]);
    }

    #[test]
    fn flood_of_empty_lines_is_bounded() {
        assert_eq!(lines(10 * LINE_COST, &[""; 1000]).len(), 10);
    }
}
