//! Makes untrusted text safe to show in a log line, in a message or on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Whether a byte is allowed in a token (RFC 9110, section 5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a character controls a terminal or a log viewer instead of being visible: control characters, line and
/// paragraph separators, characters that change the direction of writing (U+202E and similar), and those that a
/// renderer ignores (Unicode's `Default_Ignorable_Code_Point`). Text with such characters can look like other text.
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        _ => character.is_control() || is_invisible(character),
    }
}

/// The invisible characters of Unicode 16, in code point order.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Escapes the [hidden](is_hidden) characters of `text` and cuts it to at most `most` bytes. Returns also whether it
/// was cut.
pub fn printable(text: &str, most: usize) -> (String, bool) {
    let mut out = String::new();
    for character in text.chars() {
        let before = out.len();
        push(&mut out, character);
        if out.len() > most {
            out.truncate(before);
            return (out, true);
        }
    }
    (out, false)
}

/// Text as one line: escapes all [hidden](is_hidden) characters, line breaks included.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| !is_hidden(character), push)
}

/// Text of one or more lines: escapes all [hidden](is_hidden) characters except line breaks.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character == '\n' || !is_hidden(character), push)
}

fn escaped(text: &str, is_fine: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if text.chars().all(&is_fine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match is_fine(character) {
            true => out.push(character),
            false => escape(&mut out, character),
        }
    }
    Cow::Owned(out)
}

fn push(out: &mut String, character: char) {
    if is_hidden(character) {
        // Writing to a `String` can't fail.
        let _ = write!(out, "{}", character.escape_default());
    } else {
        out.push(character);
    }
}

/// JSON on one line. [Hidden](is_hidden) characters are escaped, so that a JSON parser restores them and a terminal
/// never gets them. Empty if `value` cannot be serialized as JSON.
pub fn json(value: &impl Serialize) -> String {
    serialized(value, Escaped(CompactFormatter))
}

/// Like [`json`], but indented over several lines, for people.
pub fn json_pretty(value: &impl Serialize) -> String {
    serialized(value, Escaped(PrettyFormatter::new()))
}

fn serialized(value: &impl Serialize, formatter: impl Formatter) -> String {
    let mut out = Vec::with_capacity(256);
    match value.serialize(&mut Serializer::with_formatter(&mut out, formatter)) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// Escapes the [hidden](is_hidden) characters of text that already is JSON, with JSON's own escapes.
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character == '\n' || !is_hidden(character), push_json)
}

/// Escapes a character as JSON does, by its one or two UTF-16 code units.
fn push_json(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Writes strings as `serde_json` does, and escapes the hidden characters that it leaves.
struct Escaped<F>(F);

impl<F: Formatter> Formatter for Escaped<F> {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Fast path: nearly all text is printable ASCII. `serde_json` leaves one ASCII control unescaped: DEL.
        if fragment.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        writer.write_all(escaped_json(fragment).as_bytes())
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// An error with its causes, safe for a terminal. A cause that the error's own message already ends with is not
/// repeated.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        if !line.ends_with(&told) {
            line.push_str(": ");
            line.push_str(&told);
        }
        source = cause.source();
    }
    match printable_lines(&line) {
        Cow::Borrowed(_) => line,
        Cow::Owned(escaped) => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, most: usize, expected: (&str, bool)) {
        assert_eq!(printable(text, most), (expected.0.to_owned(), expected.1));
    }

    #[test]
    fn control_characters_are_escaped() {
        check("a\r\nb\u{1b}[2J\0", 100, ("a\\r\\nb\\u{1b}[2J\\u{0}", false));
    }

    #[test]
    fn invisible_and_bidirectional_characters_are_escaped() {
        check("invoice\u{202e}gpj.exe", 100, ("invoice\\u{202e}gpj.exe", false));
        for hidden in [
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e007f}',
        ] {
            let (escaped, _) = printable(&hidden.to_string(), 100);
            assert_eq!(escaped, hidden.escape_default().to_string());
            let text = json(&hidden.to_string());
            assert!(text.is_ascii() && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), hidden.to_string());
        }
        for seen in ['a', 'é', '\u{a0}', 'ש', '日', '🦀'] {
            check(&seen.to_string(), 100, (&seen.to_string(), false));
            assert_eq!(json(&seen.to_string()), format!("\"{seen}\""));
        }
    }

    #[test]
    fn json_equals_serde_jsons_except_for_invisible_characters() {
        let value = serde_json::json!({"a": [1, "x\"\n", null, {}], "b": {"c": [], "d": 1.5}});
        assert_eq!(json(&value), value.to_string());
        assert_eq!(json_pretty(&value), serde_json::to_string_pretty(&value).expect("JSON"));
        let hidden = serde_json::json!({"a\u{202e}": "b\u{e0001}\u{7f}"});
        assert_eq!(json(&hidden), r#"{"a\u202e":"b\udb40\udc01\u007f"}"#);
        assert_eq!(escaped_json(&format!("{hidden}\n")), format!("{}\n", json(&hidden)));
    }

    #[test]
    fn line_breaks_are_kept() {
        assert_eq!(printable_lines("a\nb\n"), "a\nb\n");
        assert_eq!(printable_line("a\nb"), "a\\nb");
        assert_eq!(printable_lines("a\u{1b}[2J\nb\u{202e}\r\n"), "a\\u{1b}[2J\nb\\u{202e}\\r\n");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        check("aéé", 3, ("aé", true));
        check("aéé", 2, ("a", true));
        check("a\n", 2, ("a", true));
        check("aé", 3, ("aé", false));
    }

    #[test]
    fn no_cause_is_printed_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read")]
        struct Read(#[source] std::fmt::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("module: {0}")]
        struct Module(#[source] Read);
        let cause = std::fmt::Error.to_string();
        assert_eq!(chain(&Module(Read(std::fmt::Error))), format!("module: cannot read: {cause}"));
    }
}
