//! Checks the head of an HTTP/1 request: refuses whatever RFC 9112 says must be refused, and normalizes the rest to one
//! form (origin form, version 1.0 or 1.1) before any other code reads it.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::memchr;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::request::authority::{check_host, parse_authority};
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

/// An absolute target: the authority, and the rest in origin form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Absolute<'a> {
    authority: &'a str,
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
    fn origin(&self) -> Cow<'_, str> {
        match self.origin {
            Origin::Path(path) => Cow::Borrowed(path),
            Origin::Query(query) => Cow::Owned(format!("/{query}")),
            Origin::Asterisk => Cow::Borrowed("*"),
        }
    }
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

/// Checks the forms of a target (RFC 9112, section 3.2). Some if the target is absolute.
fn check_target<'t>(method: &str, target: &'t str) -> Result<Option<Absolute<'t>>, Refusal> {
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
fn encoded(target: &str) -> Cow<'_, str> {
    /// No ASCII character is encoded.
    const NOTHING: &AsciiSet = &AsciiSet::EMPTY;
    utf8_percent_encode(target, NOTHING).into()
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(head: &str) -> Result<CheckedHead, Refusal> {
        let mut bytes = head.as_bytes().to_vec();
        let end = HeadScanner::default().end(&bytes)?;
        assert_eq!(end, Some(bytes.len()), "{head:?}");
        check_head(&mut bytes)
    }

    #[track_caller]
    fn accepted(head: &str, framing: Framing) {
        assert_eq!(check(head), Ok(CheckedHead { framing, rewritten: None }), "{head:?}");
    }

    #[track_caller]
    fn refused(head: &str, status: u16, reason: &str) {
        match check(head) {
            Ok(accepted) => panic!("{head:?}: {accepted:?}"),
            Err(refusal) => assert_eq!((refusal.status().as_u16(), refusal.reason()), (status, reason), "{head:?}"),
        }
    }

    /// A request with these header lines in addition to `host`.
    fn with(lines: &str) -> String {
        format!("POST /a HTTP/1.1\r\nhost: a.test\r\n{lines}\r\n")
    }

    #[test]
    fn ordinary_requests_pass() {
        accepted("GET / HTTP/1.1\r\nHost: a.test:80\r\n\r\n", Framing::None);
        accepted("GET /a?b=c&d[]=%20{}|\\^ HTTP/1.1\r\nhost:a.test\r\naccept:\r\nx: \ta\tb \r\n\r\n", Framing::None);
        accepted("GET / HTTP/1.0\r\n\r\n", Framing::None);
        accepted("OPTIONS * HTTP/1.1\r\nhost: a.test\r\n\r\n", Framing::None);
        accepted("M-SEARCH! /a HTTP/1.1\r\nhost: a.test\r\n\r\n", Framing::None);
        accepted(&with("content-length: 0\r\n"), Framing::Length(0));
        accepted(&with("Content-Length: 0005 \r\n"), Framing::Length(5));
        accepted(&with("content-length: 9223372036854775807\r\n"), Framing::Length(i64::MAX.unsigned_abs()));
        accepted(&with("transfer-encoding: CHUNKED\r\n"), Framing::Chunked);
    }

    #[test]
    fn request_lines_have_three_parts() {
        for line in [
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            " GET / HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /",
            "GET / http/1.1",
            "GET / HTTP/1.1x",
            "GET / HTTP/11",
            "GET / HTTP/1.x",
            "GET",
            "Extra lineGET / HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /a\0b HTTP/1.1",
            "GET /a\tb HTTP/1.1",
            "GET /a\u{7f} HTTP/1.1",
            "G\u{e9}T / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / XHTTP/1.1",
        ] {
            refused(&format!("{line}\r\nhost: a.test\r\n\r\n"), 400, "request-line");
        }
        for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.1"] {
            refused(&format!("GET / {version}\r\nhost: a.test\r\n\r\n"), 505, "http-version");
        }
    }

    #[test]
    fn later_minor_versions_are_read_as_the_last_that_is_known() {
        let mut head = *b"GET / HTTP/1.7\r\nhost: a.test\r\n\r\n";
        assert!(check_head(&mut head).is_ok());
        assert!(head.starts_with(b"GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn targets_have_one_of_the_forms() {
        for target in
            ["foo", "@evil.example/x", "*", "a.test:80", "//[", "ftp://a.test/", "http:/a", "http:///a", "/a#b"]
        {
            let expected = if target == "//[" { continue } else { "target" };
            refused(&format!("GET {target} HTTP/1.1\r\nhost: a.test\r\n\r\n"), 400, expected);
        }
        for authority in ["", "a b", "u@a", "a:99999", "a..b", "[::1", "a\\b"] {
            let head = format!("GET http://{authority}/ HTTP/1.1\r\nhost: a.test\r\n\r\n");
            assert!(check(&head).is_err(), "{head:?}");
        }
        refused("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test\r\n\r\n", 405, "connect-method");
    }

    #[test]
    fn absolute_targets_become_origin_form() {
        for (line, host, expected) in [
            ("GET http://b.test:81/x?y", "host: a.test\r\n", "GET /x?y HTTP/1.1\r\nhost: b.test:81\r\n\r\n"),
            ("GET HTTPS://b.test", "HOST: a.test\r\n", "GET / HTTP/1.1\r\nHOST: b.test\r\n\r\n"),
            ("GET http://b.test?x", "host: b.test\r\n", "GET /?x HTTP/1.1\r\nhost: b.test\r\n\r\n"),
            ("OPTIONS http://b.test", "host: b.test\r\n", "OPTIONS * HTTP/1.1\r\nhost: b.test\r\n\r\n"),
        ] {
            let checked = check(&format!("{line} HTTP/1.1\r\n{host}\r\n")).expect("accepted");
            let rewritten = String::from_utf8(checked.rewritten.expect("another form")).expect("text");
            assert_eq!(rewritten, expected, "{line}");
        }
        let checked = check("GET http://b.test/ HTTP/1.0\r\nx: y\r\n\r\n").expect("accepted");
        assert_eq!(checked.rewritten.as_deref(), Some(&b"GET / HTTP/1.0\r\nhost: b.test\r\nx: y\r\n\r\n"[..]));
    }

    #[test]
    fn bytes_outside_ascii_become_percent_encoded() {
        let checked = check("GET /\u{e9}?\u{fc} HTTP/1.1\r\nhost: a.test\r\n\r\n").expect("accepted");
        let expected = &b"GET /%C3%A9?%C3%BC HTTP/1.1\r\nhost: a.test\r\n\r\n"[..];
        assert_eq!(checked.rewritten.as_deref(), Some(expected));
    }

    #[test]
    fn trace_has_no_body() {
        refused("TRACE / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1\r\n\r\n", 400, "header");
        refused("TRACE / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n", 400, "header");
        accepted("TRACE / HTTP/1.1\r\nhost: a.test\r\n\r\n", Framing::None);
        accepted("TRACE / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n", Framing::Length(0));
    }

    #[test]
    fn host_is_there_once_and_well_formed() {
        refused("GET / HTTP/1.1\r\n\r\n", 400, "host");
        refused("GET http://a.test/ HTTP/1.1\r\n\r\n", 400, "host");
        refused("GET / HTTP/1.1\r\nhost: a.test\r\nhost: a.test\r\n\r\n", 400, "host");
        refused("GET / HTTP/1.0\r\nhost:\r\n\r\n", 400, "host");
        for host in [
            "",
            "a/path",
            "a, b",
            "a b",
            "a?x",
            "a#x",
            "a:99999",
            "a:8a",
            "a:80:90",
            "[lab.test]",
            "x..lab.test",
            "\u{fc}",
        ] {
            refused(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"), 400, "host");
        }
    }

    #[test]
    fn header_lines_are_well_formed() {
        for lines in [
            "a : b\r\n",
            "a b: c\r\n",
            ": b\r\n",
            "a\r\n",
            "a: b\r\n c\r\n",
            " a: b\r\n",
            "a: \0\r\n",
            "a: \u{1}\r\n",
            "a: \u{7f}\r\n",
            "a: b\rc: d\r\n",
            "\u{e9}: b\r\n",
            "a(: b\r\n",
        ] {
            refused(&with(lines), 400, "header");
        }
        refused("GET / HTTP/1.1\nhost: a.test\r\n\r\n", 400, "header");
        refused("GET / HTTP/1.1\r\nhost: a.test\n\r\n", 400, "header");
        refused(&with(&"a: b\r\n".repeat(256)), 431, "too-many-fields");
        accepted(&with(&"a: b\r\n".repeat(255)), Framing::None);
    }

    #[test]
    fn content_length_is_one_number() {
        for value in ["5, 5", "5,5", "+5", "-1", "0x5", "5 5", "", "9223372036854775808", "99999999999999999999", "5;"]
        {
            refused(&with(&format!("content-length: {value}\r\n")), 400, "content-length");
        }
        refused(&with("content-length: 5\r\ncontent-length: 5\r\n"), 400, "content-length");
        refused(&with("content-length: 5\r\ncontent-length: 6\r\n"), 400, "content-length");
    }

    #[test]
    fn chunked_is_the_only_coding() {
        refused(&with("transfer-encoding: gzip, chunked\r\n"), 501, "transfer-coding");
        for value in [
            "gzip",
            "chunked, gzip",
            "chunked, chunked",
            "xchunked",
            "identity",
            "",
            "chunked,",
            ",chunked",
            "\"chunked\"",
        ] {
            refused(&with(&format!("transfer-encoding: {value}\r\n")), 400, "transfer-encoding");
        }
        refused(&with("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), 400, "transfer-encoding");
        refused(&with("transfer-encoding: chunked\r\ncontent-length: 5\r\n"), 400, "transfer-encoding");
        refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400, "transfer-encoding");
    }

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

        /// No input passes that a second, lenient parser could read as two requests.
        #[test]
        fn any_bytes_are_accepted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Some(end)) = HeadScanner::default().end(&bytes) {
                let mut head = bytes[..end].to_vec();
                let _ = check_head(&mut head);
            }
        }
    }
}
