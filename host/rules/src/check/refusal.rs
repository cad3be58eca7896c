//! The reason why a decision is refused, with the WIT field at fault.

use std::borrow::Cow;

use crate::text::printable;

/// A refused decision.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{field}`: {problem}")]
pub struct Refusal {
    /// The path of the field in the WIT package, such as `peer.tls.sni`.
    pub field: Cow<'static, str>,
    pub problem: Problem,
}

/// The reason why a field is refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Problem {
    #[error("`{value}` {why}")]
    Value { value: String, why: String },
    #[error("{found} is not from {least} to {most}{unit}")]
    Range { found: u64, least: u64, most: u64, unit: &'static str },
    #[error("it has {found} bytes; {most} are allowed")]
    TooLong { found: usize, most: usize },
    #[error("it has {found} entries; {most} are allowed")]
    TooMany { found: usize, most: usize },
    #[error("the byte at offset {offset} is 0x{byte:02x}, which no header value may contain")]
    Byte { byte: u8, offset: usize },
    #[error("the operator has not granted this to the tenant (`[tenant.grants]`, `{grant}`)")]
    NotGranted { grant: &'static str },
    #[error("no credential `{name}` of this kind is granted to the tenant")]
    UnknownCredential { name: String },
    #[error("{0}")]
    Rule(&'static str),
}

impl Problem {
    /// A value that breaks a rule. The message shows the module's text, cut to fit a log line.
    pub fn value(value: &str, why: impl ToString) -> Problem {
        const MOST: usize = 80;
        let (mut value, cut) = printable(value, MOST);
        if cut {
            value.push_str("...");
        }
        Problem::Value { value, why: why.to_string() }
    }

    pub fn at(self, field: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { field: field.into(), problem: self }
    }
}

/// Adds the field to a problem.
pub trait At<T> {
    fn at(self, field: impl Into<Cow<'static, str>>) -> Result<T, Refusal>;
}

impl<T> At<T> for Result<T, Problem> {
    fn at(self, field: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
        self.map_err(|problem| problem.at(field))
    }
}

/// Checks that a number is within its range.
pub fn within(found: u32, least: u32, most: u32, unit: &'static str) -> Result<u32, Problem> {
    if (least..=most).contains(&found) {
        return Ok(found);
    }
    Err(Problem::Range { found: found.into(), least: least.into(), most: most.into(), unit })
}

/// Checks that a text has at most `most` bytes and no control characters.
pub fn short_text(text: String, most: usize) -> Result<String, Problem> {
    if text.len() > most {
        return Err(Problem::TooLong { found: text.len(), most });
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::value(&text, "has control characters"));
    }
    Ok(text)
}
