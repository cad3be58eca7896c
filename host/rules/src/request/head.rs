//! The head of a request as routing sees it: the data behind every accessor of the WIT interface `request`.
//!
//! Made once per request, after the head was read and bounded. It owns its data, so that a decision can outlive the
//! proxy phase in which it was made; header values are shared, not copied.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

/// A request head.
#[derive(Debug, Clone)]
pub struct RequestHead {
    method: Method,
    scheme: Scheme,
    authority: String,
    path_and_query: String,
    /// End of the path: the index of the `?` before the query, or the length if there is no query.
    path_end: usize,
    headers: HeaderMap,
    client_ip: Option<IpAddr>,
    listener: Arc<str>,
    tls: Option<Arc<DownstreamTls>>,
}

/// The scheme of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// Facts about the client's TLS connection, the same for all its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamTls {
    /// In lower case.
    pub sni: Option<String>,
    pub version: String,
    pub cipher: String,
    /// SHA-256 of the client's certificate (DER).
    pub client_cert_sha256: Option<Vec<u8>>,
}

/// The data that a request head is made from.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub method: Method,
    /// The request target's bytes: between method and version in HTTP/1, `:path` in HTTP/2.
    pub target: Vec<u8>,
    /// The result of [`authority()`].
    pub authority: String,
    pub headers: HeaderMap,
    pub client_ip: Option<IpAddr>,
    pub listener: Arc<str>,
    pub tls: Option<Arc<DownstreamTls>>,
}

impl RequestHead {
    pub fn new(arrival: Arrival) -> RequestHead {
        let path_and_query = readable_target(arrival.target);
        let path_end = path_and_query.find('?').unwrap_or(path_and_query.len());
        let mut headers = arrival.headers;
        join_cookies(&mut headers);
        RequestHead {
            method: arrival.method,
            scheme: if arrival.tls.is_some() { Scheme::Https } else { Scheme::Http },
            authority: arrival.authority,
            path_and_query,
            path_end,
            headers,
            client_ip: arrival.client_ip,
            listener: arrival.listener,
            tls: arrival.tls,
        }
    }

    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    pub fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn path(&self) -> &str {
        self.path_and_query.get(..self.path_end).unwrap_or_default()
    }

    pub fn query(&self) -> Option<&str> {
        self.path_and_query.get(self.path_end + 1..)
    }

    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.get(name)
    }

    pub fn header_values(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.headers.get_all(name).iter()
    }

    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter()
    }

    /// None if the client has no IP address (a Unix socket).
    pub fn client_ip_address(&self) -> Option<IpAddr> {
        self.client_ip
    }

    pub fn client_ip(&self) -> String {
        self.client_ip.map(|ip| ip.to_string()).unwrap_or_default()
    }

    pub fn listener(&self) -> &str {
        &self.listener
    }

    pub fn tls(&self) -> Option<&DownstreamTls> {
        self.tls.as_deref()
    }
}

/// The authority of a request: that of the target (`:authority`, or an absolute request target), else that of `host`.
/// In lower case; empty if there is none.
pub fn authority(uri: &Uri, headers: &HeaderMap) -> String {
    let named = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    named.trim().to_ascii_lowercase()
}

/// A request target as text in origin form: drops scheme and authority of an absolute target, and percent-encodes
/// bytes outside ASCII.
fn readable_target(target: Vec<u8>) -> String {
    let whole = match String::from_utf8(target) {
        // Fast path: nearly all targets are of this kind.
        Ok(text) if text.is_ascii() && text.starts_with('/') => return text,
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let target = origin_form(&whole);
    let mut text = String::with_capacity(target.len());
    for &byte in target {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            // Writing to a `String` can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn origin_form(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') || target == b"*" {
        return target;
    }
    let Some(authority) = target.windows(3).position(|window| window == b"://") else { return b"/" };
    let rest = target.get(authority + 3..).unwrap_or_default();
    match rest.iter().position(|&byte| byte == b'/') {
        Some(slash) => rest.get(slash..).unwrap_or(b"/"),
        None => b"/",
    }
}

/// Joins the `cookie` headers into one, as in HTTP/1.1 (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if cookies.next().is_none() || cookies.next().is_none() {
        return;
    }
    let joined: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(value) = HeaderValue::from_bytes(&joined.join(&b"; "[..])) {
        headers.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, headers: &[(&'static str, &'static str)]) -> RequestHead {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        RequestHead::new(Arrival {
            method: Method::GET,
            target: target.as_bytes().to_vec(),
            authority: String::new(),
            headers,
            client_ip: None,
            listener: "web".into(),
            tls: None,
        })
    }

    #[track_caller]
    fn check(target: &str, path: &str, query: Option<&str>) {
        let head = head(target, &[]);
        assert_eq!((head.path(), head.query()), (path, query));
    }

    #[test]
    fn target_splits_at_the_first_question_mark() {
        check("/a/b", "/a/b", None);
        check("/a?", "/a", Some(""));
        check("/a?x=1?y", "/a", Some("x=1?y"));
        check("*", "*", None);
    }

    #[test]
    fn absolute_target_loses_scheme_and_authority() {
        check("http://shop.test/a?x", "/a", Some("x"));
        check("http://shop.test", "/", None);
    }

    #[test]
    fn byte_outside_ascii_is_percent_encoded() {
        check("/é?ü", "/%C3%A9", Some("%C3%BC"));
    }

    #[test]
    fn split_cookies_are_one_header() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn authority_of_the_target_wins_over_host() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, HeaderValue::from_static("Other.test"));
        assert_eq!(authority(&Uri::from_static("http://Shop.test:81/"), &headers), "shop.test:81");
        assert_eq!(authority(&Uri::from_static("/"), &headers), "other.test");
        assert_eq!(authority(&Uri::from_static("/"), &HeaderMap::new()), "");
    }
}
