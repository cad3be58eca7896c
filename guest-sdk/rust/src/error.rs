//! Why a router gives no answer.

use std::fmt;

/// Why a router gives no answer. `?` makes one of any error; what counts is the text, which goes to the tenant's log.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error with this text.
    pub fn new(message: impl fmt::Display) -> Error {
        Error(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text alone, since it is what `unwrap` shows in a failed test.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As in `anyhow`, `Error` is no `std::error::Error` itself: only so can it be made of every one.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Error {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Error(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_its_text() {
        fn parse(text: &str) -> Result<u16, Error> {
            Ok(text.parse()?)
        }
        assert_eq!(parse("x"), Err(Error::new("invalid digit found in string")));
    }
}
