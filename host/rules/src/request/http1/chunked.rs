//! Parses the chunked coding (RFC 9112, section 7.1) strictly. Extensions and trailers are checked and removed: no part
//! of the proxy reads them, and other servers disagree about them.

use crate::request::refusal::Refusal;
use crate::text::is_token;

/// Most bytes of extensions and trailers in one body: as much as a small header section.
const MOST_LEFT_OUT: usize = 16 * 1024;

/// Most digits of a chunk's size, leading zeros included: 16 hexadecimal digits are 64 bits.
const MOST_DIGITS: u8 = 16;

/// Position of the next byte in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size {
        digits: u8,
    },
    /// White space before the `;` of an extension.
    Space,
    /// After `;`.
    ExtensionStart,
    ExtensionName,
    /// White space after a name: `=` or `;` follows.
    NameSpace,
    /// After `=`.
    ValueStart,
    Value,
    Quoted,
    Escaped,
    /// After a quoted value.
    QuotedEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// Reads a chunked body piece by piece.
#[derive(Debug)]
pub struct Chunked {
    at: At,
    /// The current chunk's size as far as it was parsed; then the number of bytes that remain of the chunk.
    left: u64,
    left_out: usize,
}

impl Chunked {
    pub fn new() -> Chunked {
        Chunked { at: At::Size { digits: 0 }, left: 0, left_out: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Reads the part of `bytes` that belongs to the body, and moves the bytes to forward to the front. Returns how
    /// many bytes were read, and how many are to be forwarded.
    pub fn advance(&mut self, bytes: &mut [u8]) -> Result<(usize, usize), Refusal> {
        let (mut read, mut kept) = (0_usize, 0_usize);
        while !self.is_done() {
            if self.at == At::Data {
                let there = bytes.len().saturating_sub(read);
                let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(there);
                if kept != read {
                    bytes.copy_within(read..read.saturating_add(take), kept);
                }
                (read, kept) = (read.saturating_add(take), kept.saturating_add(take));
                self.left = self.left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                if self.left > 0 {
                    break;
                }
                self.at = At::DataCr;
            }
            let Some(&byte) = bytes.get(read) else { break };
            read = read.saturating_add(1);
            if self.step(byte)? {
                if let Some(place) = bytes.get_mut(kept) {
                    *place = byte;
                }
                kept = kept.saturating_add(1);
            } else {
                self.left_out = self.left_out.saturating_add(1);
                if self.left_out > MOST_LEFT_OUT {
                    return Err(Refusal::Chunk("extensions and trailers have more than 16384 bytes"));
                }
            }
        }
        Ok((read, kept))
    }

    /// Reads one byte outside of a chunk's data; returns whether it is forwarded.
    fn step(&mut self, byte: u8) -> Result<bool, Refusal> {
        const SIZE: Refusal = Refusal::Chunk("a size is not a hexadecimal number and CR LF");
        const EXTENSION: Refusal = Refusal::Chunk("an extension is malformed (RFC 9112, section 7.1.1)");
        const DATA: Refusal = Refusal::Chunk("a chunk's data is not followed by CR LF");
        const TRAILER: Refusal = Refusal::Chunk("a trailer is malformed (RFC 9112, section 7.1.2)");
        let (next, handed_on) = match (self.at, byte) {
            (At::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                (At::Size { digits: self.digit(digits, byte)? }, true)
            }
            (At::Size { digits: 0 }, _) => return Err(SIZE),
            (At::Size { .. } | At::ExtensionName | At::Value | At::QuotedEnd, b'\r') => (At::SizeLf, true),
            (At::Size { .. } | At::Space | At::ExtensionName | At::NameSpace | At::Value | At::QuotedEnd, b';') => {
                (At::ExtensionStart, false)
            }
            (At::Size { .. } | At::Space | At::Value | At::QuotedEnd, b' ' | b'\t') => (At::Space, false),
            (At::Size { .. } | At::Space, _) => return Err(SIZE),
            (At::ExtensionStart, b' ' | b'\t') => (At::ExtensionStart, false),
            (At::ExtensionStart | At::ExtensionName, _) if is_token(byte) => (At::ExtensionName, false),
            (At::ExtensionName | At::NameSpace, b'=') => (At::ValueStart, false),
            (At::ExtensionName | At::NameSpace, b' ' | b'\t') => (At::NameSpace, false),
            (At::ValueStart, b' ' | b'\t') => (At::ValueStart, false),
            (At::ValueStart, b'"') => (At::Quoted, false),
            (At::ValueStart | At::Value, _) if is_token(byte) => (At::Value, false),
            (At::Quoted, b'"') => (At::QuotedEnd, false),
            (At::Quoted, b'\\') => (At::Escaped, false),
            (At::Quoted | At::Escaped, _) if is_text(byte) => (At::Quoted, false),
            (
                At::ExtensionStart
                | At::ExtensionName
                | At::NameSpace
                | At::ValueStart
                | At::Value
                | At::Quoted
                | At::Escaped
                | At::QuotedEnd,
                _,
            ) => return Err(EXTENSION),
            (At::SizeLf, b'\n') if self.left == 0 => (At::TrailerStart, true),
            (At::SizeLf, b'\n') => (At::Data, true),
            (At::SizeLf, _) => return Err(SIZE),
            (At::DataCr, b'\r') => (At::DataLf, true),
            (At::DataLf, b'\n') => (At::Size { digits: 0 }, true),
            (At::Data | At::DataCr | At::DataLf, _) => return Err(DATA),
            (At::TrailerStart, b'\r') => (At::EndLf, true),
            (At::TrailerStart | At::TrailerName, _) if is_token(byte) => (At::TrailerName, false),
            (At::TrailerName, b':') => (At::TrailerValue, false),
            (At::TrailerValue, b'\r') => (At::TrailerLf, false),
            (At::TrailerValue, _) if is_text(byte) => (At::TrailerValue, false),
            (At::TrailerLf, b'\n') => (At::TrailerStart, false),
            (At::EndLf, b'\n') => (At::Done, true),
            (At::TrailerStart | At::TrailerName | At::TrailerValue | At::TrailerLf | At::EndLf | At::Done, _) => {
                return Err(TRAILER);
            }
        };
        self.at = next;
        Ok(handed_on)
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Result<u8, Refusal> {
        const LARGE: Refusal = Refusal::Chunk("a size has more digits than any chunk can need");
        if digits >= MOST_DIGITS {
            return Err(LARGE);
        }
        if digits == 0 {
            self.left = 0;
        }
        let value = char::from(byte).to_digit(16).map_or(0, u64::from);
        self.left = self.left.checked_mul(16).and_then(|left| left.checked_add(value)).ok_or(LARGE)?;
        if i64::try_from(self.left).is_err() {
            return Err(LARGE);
        }
        Ok(digits.saturating_add(1))
    }
}

/// Whether a byte is allowed in a field value or in quotes (RFC 9110, section 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads `text` in pieces of `piece` bytes. Returns the forwarded bytes, how many bytes of the text are the body,
    /// and whether the body is complete.
    fn read(text: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Refusal> {
        let (mut chunked, mut out, mut consumed) = (Chunked::new(), Vec::new(), 0);
        for part in text.chunks(piece) {
            let mut part = part.to_vec();
            let (read, kept) = chunked.advance(&mut part)?;
            out.extend_from_slice(&part[..kept]);
            consumed += read;
            if chunked.is_done() {
                break;
            }
        }
        Ok((out, consumed, chunked.is_done()))
    }

    #[track_caller]
    fn check(text: &str, handed_on: &str) {
        for piece in [1, 2, 3, 7, 1000] {
            let (out, _, done) = read(text.as_bytes(), piece).unwrap_or_else(|refusal| panic!("{text:?}: {refusal}"));
            assert!(done, "{text:?}");
            assert_eq!(String::from_utf8(out).expect("text"), handed_on, "{text:?} in pieces of {piece}");
        }
    }

    #[track_caller]
    fn refused(text: &str) {
        for piece in [1, 1000] {
            assert!(matches!(read(text.as_bytes(), piece), Err(Refusal::Chunk(_))), "{text:?}");
        }
    }

    #[test]
    fn well_formed_bodies_pass() {
        check("0\r\n\r\n", "0\r\n\r\n");
        check("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n");
        check(
            "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
            "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
        );
    }

    #[test]
    fn extensions_and_trailers_are_left_out() {
        check("5;a=b\r\nhello\r\n0;c\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n");
        check(
            "5 ; a = \"b\\\"; \r\" ; d\r\nhello\r\n0\r\n\r\n".replace('\r', "").replace('\n', "\r\n").as_str(),
            "5\r\nhello\r\n0\r\n\r\n",
        );
        check("1\r\nx\r\n0\r\nA: b\r\ncontent-length:5\r\n\r\n", "1\r\nx\r\n0\r\n\r\n");
    }

    #[test]
    fn malformed_bodies_are_refused() {
        for text in [
            "\r\n",
            "g\r\n",
            "5;\r\n",
            "5 \r\n",
            "5\t\r\n",
            "5;\0x\r\n",
            "5;a=\r\n",
            "5;=b\r\n",
            "5;a=\"b\n\"\r\n",
            "5;a b\r\n",
            "5;a=b c\r\n",
            "-1\r\n",
            "+5\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5\nhello",
            "5\rhello",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "00000000000000005\r\n",
            "8000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "10000000000000000\r\n",
            "0\r\n\n",
            "0\r\nx\r\n\r\n",
            "0\r\n a: b\r\n\r\n",
            "0\r\na : b\r\n\r\n",
            "0\r\na: \0\r\n\r\n",
            "0\r\na: b\n\r\n",
            "0\r\n: b\r\n\r\n",
        ] {
            refused(text);
        }
        refused(&format!("5;{}\r\n", "a".repeat(20_000)));
        refused(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(5_000)));
    }

    #[test]
    fn bytes_after_the_body_are_left_unread() {
        let (out, consumed, done) = read(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 1000).expect("well-formed");
        assert!(done && consumed == 11 && out == b"1\r\nx\r\n0\r\n\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn chunks_of_any_size_in_pieces_of_any_size(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            piece in 1_usize..50,
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x};a=b\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            let plain = |text: &[u8]| text.to_vec();
            text.extend_from_slice(b"0\r\nx: y\r\n\r\n");
            let mut expected = Vec::new();
            for chunk in &chunks {
                expected.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                expected.extend_from_slice(&plain(chunk));
                expected.extend_from_slice(b"\r\n");
            }
            expected.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&text, piece), Ok((expected, text.len(), true)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            if let Ok((out, consumed, _)) = read(&text, piece) {
                prop_assert!(out.len() <= consumed && consumed <= text.len());
            }
        }
    }
}
