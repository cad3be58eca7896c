//! Prepares the head of an upstream's response for the client: removes hop-by-hop fields, and adapts version and
//! framing to the client's version of HTTP.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderValue, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, StatusCode, Version};
use pingora::Result;
use pingora::http::ResponseHeader;

/// The response header that marks the proxy's own answers: neither modules nor upstreams may set it.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("pointsman-error");

/// Hop-by-hop fields, which apply to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 5] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
];

/// Whether the connection may be reused after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    Open,
    /// The body ends with the connection.
    Close,
}

/// Why a response can't be forwarded: its framing is ambiguous, or it switches protocols unasked.
pub fn refusal(response: &ResponseHeader, asked_to_switch: bool) -> Option<&'static str> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS && !asked_to_switch {
        return Some("101 Switching Protocols to a request that did not ask for it (RFC 9110, section 7.8)");
    }
    let codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    let tokens = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let chunked = tokens.filter(|token| token.trim_ascii().eq_ignore_ascii_case(b"chunked")).count();
    (chunked > 1).then_some("`chunked` applied twice (RFC 9112, section 6.1)")
}

/// Prepares a head for a client whose request has this `version`.
pub fn prepare(response: &mut ResponseHeader, version: Version) -> Result<Persistence> {
    let switches = response.status == StatusCode::SWITCHING_PROTOCOLS;
    if !switches {
        remove_hop_by_hop(response);
    }
    response.remove_header(&ERROR_HEADER);
    one_content_length(response)?;
    if version == Version::HTTP_2 {
        return Ok(Persistence::Open);
    }
    // The version in a status line is the sender's own (RFC 9110, section 2.5).
    response.set_version(Version::HTTP_11);
    if response.status == StatusCode::NO_CONTENT || (response.status.is_informational() && !switches) {
        response.remove_header(&TRANSFER_ENCODING);
        response.remove_header(&CONTENT_LENGTH);
    }
    if response.headers.contains_key(TRANSFER_ENCODING) {
        response.remove_header(&CONTENT_LENGTH);
        if version != Version::HTTP_11 {
            // HTTP/1.0 has no chunked coding (RFC 9112, section 6.1).
            response.remove_header(&TRANSFER_ENCODING);
            return Ok(Persistence::Close);
        }
    }
    Ok(Persistence::Open)
}

fn remove_hop_by_hop(response: &mut ResponseHeader) {
    if let Some(nominated) = nominated(response) {
        for name in nominated {
            response.remove_header(&name);
        }
        response.remove_header(&CONNECTION);
    }
    for name in &HOP_BY_HOP {
        if response.headers.contains_key(name) {
            response.remove_header(name);
        }
    }
    response.remove_header(&UPGRADE);
}

/// The fields that `connection` nominates, except framing fields: those are decided here, not by the upstream.
fn nominated(response: &ResponseHeader) -> Option<Vec<HeaderName>> {
    let mut values = response.headers.get_all(CONNECTION).iter().peekable();
    values.peek()?;
    let framing = [TRANSFER_ENCODING, CONTENT_LENGTH];
    let tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    // Most responses nominate nothing but `keep-alive`, and a field of that name is removed in any case.
    let others = tokens.map(<[u8]>::trim_ascii).filter(|token| !token.eq_ignore_ascii_case(b"keep-alive"));
    let names = others.filter_map(|token| HeaderName::from_bytes(token).ok());
    Some(names.filter(|name| !framing.contains(name)).collect())
}

/// Replaces equal values by one (RFC 9110, section 8.6); Pingora has already refused different ones.
fn one_content_length(response: &mut ResponseHeader) -> Result<()> {
    let mut values = response.headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else { return Ok(()) };
    let list = first.as_bytes().contains(&b',');
    if !list && values.next().is_none() {
        return Ok(());
    }
    let length = first.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    let Ok(length) = HeaderValue::from_bytes(length) else { return Ok(()) };
    response.insert_header(CONTENT_LENGTH, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: Version, status: u16, given: &[(&str, &str)], expected: &[(&str, &str)]) -> Persistence {
        let mut response = ResponseHeader::build(status, None).expect("a response");
        response.set_version(Version::HTTP_10);
        for (name, value) in given {
            response.append_header((*name).to_owned(), *value).expect("a header");
        }
        let afterwards = prepare(&mut response, version).expect("it is prepared");
        let found: Vec<(&str, &str)> =
            response.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
        assert_eq!(found, expected);
        if version != Version::HTTP_2 {
            assert_eq!(response.version, Version::HTTP_11);
        }
        afterwards
    }

    const HOP: [(&str, &str); 10] = [
        ("connection", "x-secret, close"),
        ("x-secret", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authenticate", "Basic"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("upgrade", "h2c"),
        ("pointsman-error", "no-tenant"),
        ("x-kept", "1"),
    ];

    #[test]
    fn what_is_about_the_upstreams_connection_stays_behind() {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(check(version, 200, &HOP, &[("x-kept", "1")]), Persistence::Open);
        }
        let switch = [("connection", "upgrade"), ("upgrade", "websocket")];
        check(Version::HTTP_11, 101, &switch, &switch);
    }

    #[test]
    fn what_answers_another_question_is_refused() {
        let response = |status: u16, coding: &str| {
            let mut response = ResponseHeader::build(status, None).expect("a response");
            response.append_header("transfer-encoding", coding).expect("a header");
            response
        };
        assert!(refusal(&response(101, "chunked"), false).is_some());
        assert_eq!(refusal(&response(101, "chunked"), true), None);
        assert_eq!(refusal(&response(200, "gzip, chunked"), false), None);
        assert!(refusal(&response(200, "chunked, chunked"), false).is_some());
    }

    #[test]
    fn body_is_delimited_in_one_way() {
        let chunked = ("transfer-encoding", "chunked");
        let length = ("content-length", "5");
        assert_eq!(check(Version::HTTP_11, 200, &[chunked, length], &[chunked]), Persistence::Open);
        assert_eq!(check(Version::HTTP_10, 200, &[chunked], &[]), Persistence::Close);
        check(Version::HTTP_11, 200, &[("content-length", "5, 5")], &[length]);
        check(Version::HTTP_11, 200, &[length, length], &[length]);
        check(Version::HTTP_11, 204, &[length], &[]);
        check(Version::HTTP_11, 200, &[("connection", "content-length"), length], &[length]);
    }
}
