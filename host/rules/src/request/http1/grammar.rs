//! Checks the head of an HTTP/1 request: refuses whatever RFC 9112 says must be refused, and normalizes the rest to one
//! form (origin form, version 1.0 or 1.1) before any other code reads it.

use std::mem::MaybeUninit;

use memchr::memchr;

use crate::request::authority::check_host;
use crate::request::http1::target::{check_target, encoded};
use crate::request::refusal::Refusal;

/// Most header fields of one request; Pingora parses no more.
pub const MOST_FIELDS: usize = 256;

/// How the body that follows a head is delimited (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// A head that passed the check.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckedHead {
    pub framing: Framing,
    /// The head to forward instead, if it differs: with an absolute target in origin form, or with bytes outside ASCII
    /// percent-encoded.
    pub rewritten: Option<Vec<u8>>,
}

/// Checks a whole head. A minor version above 1 becomes 1 in place (RFC 9110, section 2.5).
pub fn check_head(head: &mut [u8]) -> Result<CheckedHead, Refusal> {
    lower_minor_version(head)?;
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(status) if status.is_complete() => {}
        Ok(_) => return Err(Refusal::Header("it ends before it is complete")),
        Err(error) => return Err(refusal_of(error)),
    }
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let mut facts = Facts::default();
    for field in request.headers.iter() {
        facts.note(field)?;
    }
    let target = request.path.unwrap_or_default();
    let method = request.method.unwrap_or_default();
    let absolute = check_target(method, target)?;
    let host = facts.host(version)?;
    let framing = facts.framing(version)?;
    if method == "TRACE" && !matches!(framing, Framing::None | Framing::Length(0)) {
        return Err(Refusal::Header("TRACE has a body (RFC 9110, section 9.3.8)"));
    }
    let rewritten = match absolute {
        Some(absolute) => {
            let origin = absolute.origin();
            Some(rewritten(
                (method, &encoded(&origin), version),
                request.headers,
                Some((absolute.authority, host.is_some())),
            ))
        }
        None if target.is_ascii() => None,
        None => Some(rewritten((method, &encoded(target), version), request.headers, None)),
    };
    Ok(CheckedHead { framing, rewritten })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// The header fields that concern the message as a whole.
#[derive(Default)]
struct Facts<'a> {
    host: Option<&'a [u8]>,
    hosts: usize,
    lengths: usize,
    length: &'a [u8],
    codings: usize,
    coding: &'a [u8],
}

impl<'a> Facts<'a> {
    fn note(&mut self, field: &httparse::Header<'a>) -> Result<(), Refusal> {
        // The three names that matter differ in length.
        match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => {
                self.hosts = self.hosts.saturating_add(1);
                self.host = Some(field.value);
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                self.lengths = self.lengths.saturating_add(1);
                self.length = field.value;
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.codings = self.codings.saturating_add(1);
                self.coding = field.value;
            }
            0 => return Err(Refusal::Header("a field has no name")),
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112, section 3.2. An absolute target replaces `host`, which must be well-formed all the same.
    fn host(&self, version: Version) -> Result<Option<&'a [u8]>, Refusal> {
        match (self.hosts, self.host) {
            (0, _) if version == Version::Http10 => Ok(None),
            (0, _) => Err(Refusal::Host("is missing (RFC 9112, section 3.2)")),
            (1, Some(host)) => check_host(host).map(|()| Some(host)),
            _ => Err(Refusal::Host("appears more than once (RFC 9112, section 3.2)")),
        }
    }

    /// RFC 9112, section 6: refuses a message that two servers could delimit in two ways.
    fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        match (self.codings, self.lengths) {
            (0, 0) => Ok(Framing::None),
            (0, 1) => length(self.length),
            (0, _) => Err(Refusal::ContentLength("appears more than once (RFC 9110, section 8.6)")),
            (_, 1..) => {
                Err(Refusal::TransferEncoding("appears together with `content-length` (RFC 9112, section 6.1)"))
            }
            (_, 0) if version == Version::Http10 => {
                Err(Refusal::TransferEncoding("does not exist in HTTP/1.0 (RFC 9112, section 6.1)"))
            }
            (1, 0) if self.coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (1, 0) => Err(coding(self.coding)),
            (_, 0) => Err(Refusal::TransferEncoding("appears more than once")),
        }
    }
}

/// Parses one number (RFC 9110, section 8.6), no larger than the greatest signed 64-bit integer.
fn length(value: &[u8]) -> Result<Framing, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::ContentLength("is not one decimal number (RFC 9110, section 8.6)"));
    }
    let number = str::from_utf8(value).ok().and_then(|digits| digits.parse::<i64>().ok());
    match number.and_then(|number| u64::try_from(number).ok()) {
        Some(number) => Ok(Framing::Length(number)),
        None => Err(Refusal::ContentLength("is larger than any body can be")),
    }
}

/// The refusal of a list of codings that is not just `chunked`.
fn coding(value: &[u8]) -> Refusal {
    let codings: Vec<&[u8]> = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (codings.last(), codings.iter().filter(is_chunked).count()) {
        (Some(last), 1) if last.eq_ignore_ascii_case(b"chunked") && !codings.contains(&&b""[..]) => {
            Refusal::TransferCoding
        }
        (_, 0) => {
            Refusal::TransferEncoding("does not end with `chunked`, so the body has no end (RFC 9112, section 6.3)")
        }
        _ => Refusal::TransferEncoding("applies `chunked` twice, or not last (RFC 9112, section 6.1)"),
    }
}

fn refusal_of(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName => {
            Refusal::Header("a field's name is not a token, or not followed by a colon at once")
        }
        httparse::Error::HeaderValue => Refusal::Header("a field's value has a control character"),
        httparse::Error::NewLine => Refusal::Header("a line does not end with CR LF"),
        httparse::Error::TooManyHeaders => Refusal::TooManyFields { limit: MOST_FIELDS },
        httparse::Error::Version => Refusal::RequestLine("it is not method, target and version with one space between"),
        httparse::Error::Token | httparse::Error::Status => {
            Refusal::RequestLine("a character is not allowed at its position")
        }
    }
}

/// Changes HTTP/1.2 and later to HTTP/1.1 in place; refuses another major version.
fn lower_minor_version(head: &mut [u8]) -> Result<(), Refusal> {
    let Some(end) = memchr(b'\r', head) else { return Err(Refusal::RequestLine("it has no end")) };
    let Some([.., b'H', b'T', b'T', b'P', b'/', major, b'.', minor]) = head.get_mut(..end) else {
        return Err(Refusal::RequestLine("it does not end with an HTTP version"));
    };
    match (*major, *minor) {
        (b'1', b'0' | b'1') => Ok(()),
        (b'1', b'2'..=b'9') => {
            *minor = b'1';
            Ok(())
        }
        (b'0'..=b'9', b'0'..=b'9') => Err(Refusal::Version),
        _ => Err(Refusal::RequestLine("it does not end with an HTTP version")),
    }
}

/// Writes the head with another target, and with the authority of an absolute target as its host (RFC 9112, section
/// 3.2.2).
fn rewritten(
    (method, target, version): (&str, &str, Version),
    fields: &[httparse::Header<'_>],
    authority: Option<(&str, bool)>,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let version = if version == Version::Http10 { " HTTP/1.0\r\n" } else { " HTTP/1.1\r\n" };
    for part in [method, " ", target, version] {
        head.extend_from_slice(part.as_bytes());
    }
    let mut field = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    if let Some((authority, false)) = authority {
        field("host", authority.as_bytes());
    }
    for one in fields {
        match authority {
            Some((authority, _)) if one.name.eq_ignore_ascii_case("host") => field(one.name, authority.as_bytes()),
            _ => field(one.name, one.value),
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests;
