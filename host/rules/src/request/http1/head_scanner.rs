//! Finds the end of a head, however its bytes arrive.

use memchr::memchr;

use crate::request::refusal::Refusal;

/// Finds the end of a head in bytes that arrive piece by piece.
#[derive(Debug, Default, Clone, Copy)]
pub struct HeadScanner {
    /// Number of bytes that were scanned.
    scanned: usize,
    /// Start of the current line.
    line: usize,
}

impl HeadScanner {
    /// Returns the head's length, its empty line included, once `bytes` contains all of it. `bytes` starts with the
    /// head and grows from call to call.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        while let Some(rest) = bytes.get(self.scanned..)
            && let Some(found) = memchr(b'\n', rest)
        {
            let at = self.scanned.saturating_add(found);
            let line = bytes.get(self.line..at).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Refusal::Header("a line ends with a bare LF (RFC 9112, section 2.2)"));
            };
            self.scanned = at.saturating_add(1);
            self.line = self.scanned;
            if line.is_empty() {
                return Ok(Some(self.scanned));
            }
        }
        self.scanned = bytes.len();
        Ok(None)
    }

    /// Whether no byte was scanned yet.
    pub fn is_new(&self) -> bool {
        self.scanned == 0
    }

    /// Whether the request line is complete.
    pub fn past_request_line(&self) -> bool {
        self.line > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn end_is_found_however_the_bytes_arrive(cuts in prop::collection::vec(0_usize..60, 0..6)) {
            let head = b"GET / HTTP/1.1\r\nhost: a.test\r\nx: y\r\n\r\nbody\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= head.len()).collect();
            cuts.sort_unstable();
            cuts.push(head.len());
            let mut scanner = HeadScanner::default();
            let found = cuts.iter().find_map(|cut| scanner.end(&head[..*cut]).expect("well-formed"));
            prop_assert_eq!(found, Some(38));
        }
    }
}
