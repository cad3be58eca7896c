//! Tests of the grammar of heads: what passes, and what is refused for which reason.

use proptest::prelude::*;

use super::*;
use crate::request::http1::HeadScanner;

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
    for target in ["foo", "@evil.example/x", "*", "a.test:80", "//[", "ftp://a.test/", "http:/a", "http:///a", "/a#b"] {
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
    for host in
        ["", "a/path", "a, b", "a b", "a?x", "a#x", "a:99999", "a:8a", "a:80:90", "[lab.test]", "x..lab.test", "\u{fc}"]
    {
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
    for value in ["5, 5", "5,5", "+5", "-1", "0x5", "5 5", "", "9223372036854775808", "99999999999999999999", "5;"] {
        refused(&with(&format!("content-length: {value}\r\n")), 400, "content-length");
    }
    refused(&with("content-length: 5\r\ncontent-length: 5\r\n"), 400, "content-length");
    refused(&with("content-length: 5\r\ncontent-length: 6\r\n"), 400, "content-length");
}

#[test]
fn chunked_is_the_only_coding() {
    refused(&with("transfer-encoding: gzip, chunked\r\n"), 501, "transfer-coding");
    for value in
        ["gzip", "chunked, gzip", "chunked, chunked", "xchunked", "identity", "", "chunked,", ",chunked", "\"chunked\""]
    {
        refused(&with(&format!("transfer-encoding: {value}\r\n")), 400, "transfer-encoding");
    }
    refused(&with("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), 400, "transfer-encoding");
    refused(&with("transfer-encoding: chunked\r\ncontent-length: 5\r\n"), 400, "transfer-encoding");
    refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400, "transfer-encoding");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No input passes that a second, lenient parser could read as two requests.
    #[test]
    fn any_bytes_are_accepted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some(end)) = HeadScanner::default().end(&bytes) {
            let mut head = bytes[..end].to_vec();
            let _ = check_head(&mut head);
        }
    }
}
