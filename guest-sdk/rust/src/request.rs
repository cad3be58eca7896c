//! The request to be routed.

use std::net::{IpAddr, Ipv4Addr};

use percent_encoding::percent_decode_str;

#[cfg(not(target_family = "wasm"))]
use crate::testing::Recorded;
use crate::{Attempt, ClientTls, Header, bindings};

/// The request to be routed.
///
/// Nothing is copied in advance: each method calls the host, which records the reads. So read only what the
/// decision needs, and read it once.
pub struct Request<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Host(&'a bindings::Request),
    #[cfg(not(target_family = "wasm"))]
    Test(Box<Recorded>),
}

/// Asks whoever knows; the host's request and a test's have the same methods.
macro_rules! ask {
    ($request:ident . $method:ident ( $($argument:expr)? )) => {
        match &$request.source {
            Source::Host(request) => request.$method($($argument)?),
            #[cfg(not(target_family = "wasm"))]
            Source::Test(request) => request.$method($($argument)?),
        }
    };
}

impl Request<'_> {
    /// As sent, such as `GET`.
    pub fn method(&self) -> String {
        ask!(self.method())
    }

    /// `https` if the client's connection has TLS, else `http`.
    pub fn scheme(&self) -> String {
        ask!(self.scheme())
    }

    /// Host and, if the client named one, port, in lower case. Empty if the client sent none.
    pub fn authority(&self) -> String {
        ask!(self.authority())
    }

    /// The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`.
    pub fn host(&self) -> String {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            // A colon within brackets belongs to an IPv6 address.
            Some((host, port)) if !port.contains(']') => host.to_owned(),
            _ => authority,
        }
    }

    /// The path as sent, percent-encoding untouched, without the query.
    pub fn path(&self) -> String {
        ask!(self.path())
    }

    /// The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.` and
    /// `..` are unchanged.
    pub fn path_segments(&self) -> Vec<String> {
        self.path().split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
    }

    /// The part after the first `?`, as sent.
    pub fn query(&self) -> Option<String> {
        ask!(self.query())
    }

    /// The first query parameter of this name, percent-decoded, with `+` as a space.
    pub fn query_param(&self, name: &str) -> Option<String> {
        self.query_params().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All query parameters, percent-decoded, with `+` as a space.
    pub fn query_params(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes()).into_owned().collect()
    }

    /// The first value of a header, as text: invalid UTF-8 is replaced by U+FFFD.
    pub fn header(&self, name: &str) -> Option<String> {
        ask!(self.header_text(name))
    }

    /// The first value of a header, as sent.
    pub fn header_bytes(&self, name: &str) -> Option<Vec<u8>> {
        ask!(self.header(name))
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<Vec<u8>> {
        ask!(self.header_values(name))
    }

    /// All headers, names in lower case.
    pub fn headers(&self) -> Vec<Header> {
        ask!(self.headers())
    }

    /// The first cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        pairs(&self.header("cookie")?).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }

    /// All cookies, in order, their values as sent.
    pub fn cookies(&self) -> Vec<(String, String)> {
        let header = self.header("cookie").unwrap_or_default();
        pairs(&header).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The peer address of the client's connection.
    pub fn client_ip(&self) -> IpAddr {
        // The contract promises an address; a host that broke it would not be worth a trap.
        ask!(self.client_ip()).parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The name of the listener that took the connection.
    pub fn listener(&self) -> String {
        ask!(self.listener())
    }

    /// Facts about the client's TLS connection. None without TLS.
    pub fn tls(&self) -> Option<ClientTls> {
        ask!(self.tls())
    }

    /// The failed attempts of this request, oldest first. Empty on the first call.
    pub fn attempts(&self) -> Vec<Attempt> {
        ask!(self.attempts())
    }
}

/// Of a `cookie` header. There is one at most: the host joins several (RFC 9113, section 8.2.3).
fn pairs(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim()))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl<'a> From<&'a bindings::Request> for Request<'a> {
    fn from(request: &'a bindings::Request) -> Request<'a> {
        Request { source: Source::Host(request) }
    }
}

#[cfg(not(target_family = "wasm"))]
impl Request<'static> {
    pub(crate) fn recorded(request: Recorded) -> Request<'static> {
        Request { source: Source::Test(Box::new(request)) }
    }

    /// What a test may still change.
    pub(crate) fn recorded_mut(&mut self) -> Option<&mut Recorded> {
        match &mut self.source {
            Source::Host(_) => None,
            Source::Test(request) => Some(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[track_caller]
    fn host(url: &str, expected: &str) {
        assert_eq!(testing::get(url).host(), expected);
    }

    #[test]
    fn the_host_is_the_authority_without_port() {
        host("http://shop.example/", "shop.example");
        host("http://shop.example:8080/", "shop.example");
        host("http://203.0.113.7:80/", "203.0.113.7");
        host("http://[2001:db8::1]/", "[2001:db8::1]");
        host("http://[2001:db8::1]:8080/", "[2001:db8::1]");
        host("/", "");
    }

    #[track_caller]
    fn segments(path: &str, expected: &[&str]) {
        assert_eq!(testing::get(path).path_segments(), expected);
    }

    #[test]
    fn segments_are_decoded_after_they_are_split() {
        segments("/", &[]);
        segments("/cart", &["cart"]);
        segments("/cart//items/", &["cart", "items"]);
        segments("/a%2Fb/caf%C3%A9", &["a/b", "café"]);
        segments("/%FF/%2/100%", &["\u{fffd}", "%2", "100%"]);
        segments("/../%2e%2e", &["..", ".."]);
    }

    #[track_caller]
    fn param(url: &str, name: &str, expected: Option<&str>) {
        assert_eq!(testing::get(url).query_param(name).as_deref(), expected);
    }

    #[test]
    fn query_parameters_are_decoded() {
        param("/", "a", None);
        param("/?", "a", None);
        param("/?a", "a", Some(""));
        param("/?a=1&b=2&a=3", "a", Some("1"));
        param("/?a=1&b=2", "b", Some("2"));
        param("/?na%6De=caf%C3%A9+noir", "name", Some("café noir"));
        param("/?a=b=c?d", "a", Some("b=c?d"));
    }

    #[test]
    fn all_query_parameters_keep_their_order() {
        let params = testing::get("/?b=1&a=2&b=3").query_params();
        assert_eq!(params, [("b", "1"), ("a", "2"), ("b", "3")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn several_cookie_headers_are_one() {
        let request = testing::get("/").header("Cookie", "a=1;b = 2; c=x=y; flag").header("cookie", "d=4; a=5");
        assert_eq!(request.cookie("a").as_deref(), Some("1"));
        assert_eq!(request.cookie("b").as_deref(), Some("2"));
        assert_eq!(request.cookie("c").as_deref(), Some("x=y"));
        assert_eq!(request.cookie("d").as_deref(), Some("4"));
        assert_eq!(request.cookie("flag"), None);
        assert_eq!(request.cookies().len(), 5);
    }
}
