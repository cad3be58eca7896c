//! DNS names (RFC 1123, section 2.1), with the underscores that are in use.

/// Longest name, in bytes (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;

/// Longest label, in bytes (RFC 1035, section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Why a text is not a DNS name. The message is written to follow that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("is empty")]
    Empty,
    #[error("is not ASCII; write international names in punycode (`xn--...`)")]
    NotAscii,
    #[error("has more than 253 characters")]
    Long,
    #[error("has an empty label: there is one dot too many")]
    EmptyLabel,
    #[error("has a label of more than 63 characters")]
    LongLabel,
    #[error("has characters other than letters, digits, `-`, `_` and `.`")]
    Character,
}

/// Checks a name; returns it in lower case and without a trailing dot.
pub fn dns_name(text: &str) -> Result<String, BadName> {
    check_dns_name(text).map(str::to_ascii_lowercase)
}

/// Checks a name; returns it as written, without a trailing dot.
pub fn check_dns_name(text: &str) -> Result<&str, BadName> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if !name.is_ascii() {
        return Err(BadName::NotAscii);
    }
    if name.len() > LONGEST {
        return Err(BadName::Long);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(BadName::EmptyLabel);
        }
        if label.len() > LONGEST_LABEL {
            return Err(BadName::LongLabel);
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(BadName::Character);
        }
    }
    Ok(name)
}
