//! Checks the target of a request (RFC 9112, section 3.2), and gives it in origin form.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::request::authority::parse_authority;
use crate::request::refusal::Refusal;

/// An absolute target: the authority, and the rest in origin form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absolute<'a> {
    pub(super) authority: &'a str,
    origin: Origin<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin<'a> {
    /// `/path?query`
    Path(&'a str),
    /// `?query` without a path.
    Query(&'a str),
    /// `OPTIONS` of the server as a whole (RFC 9112, section 3.2.4).
    Asterisk,
}

impl Absolute<'_> {
    pub(super) fn origin(&self) -> Cow<'_, str> {
        match self.origin {
            Origin::Path(path) => Cow::Borrowed(path),
            Origin::Query(query) => Cow::Owned(format!("/{query}")),
            Origin::Asterisk => Cow::Borrowed("*"),
        }
    }
}

/// Checks the forms of a target (RFC 9112, section 3.2). Some if the target is absolute.
pub(super) fn check_target<'t>(method: &str, target: &'t str) -> Result<Option<Absolute<'t>>, Refusal> {
    if method == "CONNECT" {
        return Err(Refusal::Connect);
    }
    if target.contains('#') {
        return Err(Refusal::Target("it has a fragment, which no request carries"));
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok(None);
    }
    let scheme = |name: &str| {
        let (scheme, rest) = target.split_at_checked(name.len())?;
        scheme.eq_ignore_ascii_case(name).then_some(rest)
    };
    let Some(rest) = scheme("http://").or_else(|| scheme("https://")) else {
        return Err(Refusal::Target("it is neither a path nor an absolute http or https URL (RFC 9112, section 3.2)"));
    };
    let (authority, after) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or((rest, ""));
    parse_authority(authority.as_bytes())
        .ok_or(Refusal::Target("its authority is not a host with or without a port"))?;
    let origin = match after.as_bytes().first() {
        None if method == "OPTIONS" => Origin::Asterisk,
        None => Origin::Path("/"),
        Some(b'?') => Origin::Query(after),
        Some(_) => Origin::Path(after),
    };
    Ok(Some(Absolute { authority, origin }))
}

/// Percent-encodes the bytes of a target that are not ASCII (RFC 3986, section 2.1).
pub(super) fn encoded(target: &str) -> Cow<'_, str> {
    /// No ASCII character is encoded.
    const NOTHING: &AsciiSet = &AsciiSet::EMPTY;
    utf8_percent_encode(target, NOTHING).into()
}
