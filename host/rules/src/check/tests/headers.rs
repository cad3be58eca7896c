//! Tests header lists in every place where a module sets one.

use super::*;

#[test]
fn host_is_not_set_as_a_header() {
    let why = "`rewrite.set-headers[0].name`: `host` is set with `rewrite.authority`";
    refused(|route| route.rewrite.set_headers = vec![header("HOST", "x")], why);
}

/// RFC 9110 does not count proxy credentials as hop-by-hop, and an upstream may be a proxy.
#[test]
fn proxy_credentials_may_be_set_and_removed() {
    passes(|route| {
        route.rewrite.remove_headers = vec!["Proxy-Authorization".to_owned(), "proxy-authenticate".to_owned()];
        route.rewrite.set_headers = vec![header("proxy-authorization", "Basic eDp5")];
    });
}

#[test]
fn modules_cannot_set_framing_or_hop_by_hop_headers_of_a_response() {
    for name in "connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length".split(' ')
    {
        let why = format!("`respond.headers[1].name`: `{name}` is a framing or hop-by-hop header");
        response(200, vec![header("x", "y"), header(&name.to_uppercase(), "x")], b"", Err(&why));
    }
    response(200, vec![header("proxy-authenticate", "Basic")], b"", Ok(()));
    response(200, vec![header("x", "a\r\nb")], b"", Err("`respond.headers[0].value`: the byte at offset 1 is 0x0d"));
}

#[test]
fn list_of_headers_has_at_most_64_kib() {
    // Eight headers of up to 8 KiB, and a ninth that either fills the limit exactly or exceeds it.
    let list = |more: usize| {
        let mut list = vec![header("x", &"y".repeat(8 * 1024)); 7];
        list.push(header("x", &"y".repeat(8 * 1024 - 8 - 2)));
        list.push(header("xx", &"y".repeat(more)));
        list
    };
    passes(|route| route.rewrite.add_headers = list(0));
    let why = "`rewrite.add-headers`: it has 65537 bytes; 65536 are allowed";
    refused(|route| route.rewrite.add_headers = list(1), why);
    refused(
        |route| route.rewrite.remove_headers = vec!["x".repeat(1000); 66],
        "`rewrite.remove-headers`: it has 66000 bytes; 65536 are allowed",
    );
    refused(|route| route.rewrite.remove_headers = vec!["x".to_owned(); 129], "`rewrite.remove-headers`: it has 129");
}

#[test]
fn list_and_value_may_be_as_long_as_is_allowed() {
    passes(|route| route.rewrite.add_headers = vec![header("x", "y"); 128]);
    passes(|route| route.rewrite.remove_headers = vec!["x".to_owned(); 128]);
    passes(|route| route.rewrite.set_headers = vec![header("x", &"y".repeat(8192)), header("z", "")]);
}

/// The value may be a credential, and a refusal goes to the log.
#[test]
fn refused_value_is_not_shown() {
    refused(
        |route| route.rewrite.set_headers = vec![header("authorization", "Bearer secret\r\nx: y")],
        "`rewrite.set-headers[0].value`: the byte at offset 13 is 0x0d, which no header value may contain",
    );
}

#[test]
fn removing_a_header_twice_is_no_error() {
    let spec = passes(|route| route.rewrite.remove_headers = vec!["X-A".to_owned(), "x-a".to_owned()]);
    assert_eq!(spec.rewrite.remove_headers, ["x-a", "x-a"]);
}
