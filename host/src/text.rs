//! Text from strangers, made fit for a log line or a message.

use std::fmt::Write;

/// `text` with its control characters escaped, cut to at most `most` bytes. Tells whether it was cut.
pub fn printable(text: &str, most: usize) -> (String, bool) {
    let mut out = String::new();
    for character in text.chars() {
        let before = out.len();
        if character.is_control() {
            // Writing to a `String` can't fail.
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
        if out.len() > most {
            out.truncate(before);
            return (out, true);
        }
    }
    (out, false)
}

/// An error with its causes, on one line. A cause that an error tells by itself is not told again.
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
    line
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
    fn long_text_is_cut_between_characters() {
        check("aéé", 3, ("aé", true));
        check("aéé", 2, ("a", true));
        check("a\n", 2, ("a", true));
        check("aé", 3, ("aé", false));
    }

    #[test]
    fn no_cause_is_told_twice() {
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
