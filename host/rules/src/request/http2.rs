//! Checks the head of an HTTP/2 request for defects that RFC 9113 calls malformed but the HTTP/2 library lets through.

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Uri};

use crate::request::authority::check_host;
use crate::request::refusal::Refusal;

/// Checks a head; `target` is the received `:path`.
pub fn check_http2_head(method: &Method, uri: &Uri, target: &[u8], headers: &HeaderMap) -> Result<(), Refusal> {
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    for authority in authority.into_iter().chain(headers.get_all(HOST).iter().map(|host| host.as_bytes())) {
        check_host(authority)?;
    }
    if !(target.starts_with(b"/") || (target == b"*" && method == Method::OPTIONS)) {
        return Err(Refusal::Target("it is not a path (RFC 9113, section 8.3.1)"));
    }
    if target.contains(&b'#') {
        return Err(Refusal::Target("it has a fragment, which no request carries"));
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    if lengths.next().is_some() || first.is_some_and(|length| !length.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Err(Refusal::ContentLength("is not one decimal number (RFC 9110, section 8.6)"));
    }
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    for value in headers.values().map(|value| value.as_bytes()) {
        if is_space(value.first()) || is_space(value.last()) {
            return Err(Refusal::Header("a value begins or ends with white space (RFC 9113, section 8.2.1)"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(uri: &'static str, headers: &[(&'static str, &'static str)]) -> Result<(), &'static str> {
        let uri = Uri::from_static(uri);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        check_http2_head(&Method::GET, &uri, target.as_bytes(), &map).map_err(Refusal::reason)
    }

    #[test]
    fn heads_are_well_formed() {
        assert_eq!(check("http://a.test/x?y", &[("content-length", "5"), ("x", "a b")]), Ok(()));
        assert_eq!(check("/x", &[("host", "a.test:80")]), Ok(()));
        assert_eq!(check("http://a.test/", &[("content-length", "5, 5")]), Err("content-length"));
        assert_eq!(check("http://a.test/", &[("content-length", "5"), ("content-length", "5")]), Err("content-length"));
        assert_eq!(check("http://a..test/", &[]), Err("host"));
        assert_eq!(check("/x", &[("host", "a/b")]), Err("host"));
        assert_eq!(check("http://a.test/", &[("x", " y")]), Err("header"));
        assert_eq!(check("http://a.test/", &[("x", "y\t")]), Err("header"));
        assert_eq!(check("*", &[("host", "a.test")]), Err("target"));
    }
}
