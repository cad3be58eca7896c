//! A request made for a test.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;

use crate::{Attempt, ClientTls, Failure, Header, Request, Stage};

/// A request made for a test: build it with the methods below, and pass it wherever a [`Request`] is wanted.
pub struct TestRequest {
    request: Request<'static>,
}

/// `GET` of a URL, `https://shop.example/cart?x=1`, or of a path alone, `/cart`, for a client that names no host.
///
/// `https` gives the connection TLS with the host as its server name. The client is `192.0.2.1`, the listener `test`.
pub fn get(url: &str) -> TestRequest {
    request("GET", url)
}

/// The same with another method.
pub fn request(method: &str, url: &str) -> TestRequest {
    TestRequest { request: Request::recorded(Recorded::new(method, url)) }
}

impl TestRequest {
    /// Adds a header. A further `cookie` is joined to the one before, as the host does it.
    pub fn header(self, name: &str, value: impl Into<Vec<u8>>) -> TestRequest {
        self.with(|request| request.add_header(Header::new(name.to_ascii_lowercase(), value)))
    }

    /// Sets the client's address.
    pub fn client_ip(self, address: impl Into<IpAddr>) -> TestRequest {
        self.with(|request| request.client_ip = address.into())
    }

    /// Sets the listener's name.
    pub fn listener(self, name: &str) -> TestRequest {
        self.with(|request| request.listener = name.to_owned())
    }

    /// Sets the facts about the client's TLS connection.
    pub fn tls(self, tls: ClientTls) -> TestRequest {
        self.with(|request| request.tls = Some(tls))
    }

    /// Adds a failed attempt, such as [`refused`]. Its number is set here.
    pub fn attempt(self, attempt: Attempt) -> TestRequest {
        self.with(|request| {
            let number = u32::try_from(request.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
            request.attempts.push(Attempt { number, ..attempt });
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Recorded)) -> TestRequest {
        if let Some(request) = self.request.recorded_mut() {
            change(request);
        }
        self
    }
}

impl Deref for TestRequest {
    type Target = Request<'static>;

    fn deref(&self) -> &Request<'static> {
        &self.request
    }
}

/// An attempt that failed because nothing listened on the address.
pub fn refused(address: &str) -> Attempt {
    failed(address, Stage::Connect, Failure::Refused)
}

/// An attempt that failed because the connection timed out.
pub fn timed_out(address: &str) -> Attempt {
    failed(address, Stage::Connect, Failure::Timeout)
}

/// An attempt that failed since the upstream closed the connection instead of answering.
pub fn closed(address: &str) -> Attempt {
    Attempt { request_sent: true, ..failed(address, Stage::Receive, Failure::Closed) }
}

/// An attempt that failed since the upstream answered with this status.
pub fn status(address: &str, status: u16) -> Attempt {
    Attempt { status: Some(status), request_sent: true, ..failed(address, Stage::Receive, Failure::Status) }
}

fn failed(address: &str, stage: Stage, failure: Failure) -> Attempt {
    Attempt {
        number: 1,
        address: address.to_owned(),
        stage,
        failure,
        status: None,
        reused_connection: false,
        request_sent: false,
        elapsed_ms: 1,
        detail: String::new(),
    }
}

/// The host's data. Its methods are those of the WIT resource.
pub(crate) struct Recorded {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Vec<Header>,
    client_ip: IpAddr,
    listener: String,
    tls: Option<ClientTls>,
    attempts: Vec<Attempt>,
}

impl Recorded {
    fn new(method: &str, url: &str) -> Recorded {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut request = Recorded {
            method: method.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_ascii_lowercase(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.map(str::to_owned),
            headers: Vec::new(),
            client_ip: Ipv4Addr::new(192, 0, 2, 1).into(),
            listener: "test".to_owned(),
            tls: None,
            attempts: Vec::new(),
        };
        if request.scheme == "https" {
            request.tls = Some(ClientTls {
                sni: request.authority.split(':').next().map(str::to_owned),
                version: "TLSv1.3".to_owned(),
                cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
                client_cert_sha256: None,
            });
        }
        request
    }

    fn add_header(&mut self, header: Header) {
        match self.headers.iter_mut().find(|before| before.name == "cookie" && header.name == "cookie") {
            Some(before) => {
                before.value.extend(b"; ");
                before.value.extend(header.value);
            }
            None => self.headers.push(header),
        }
    }

    pub fn method(&self) -> String {
        self.method.clone()
    }

    pub fn scheme(&self) -> String {
        self.scheme.clone()
    }

    pub fn authority(&self) -> String {
        self.authority.clone()
    }

    pub fn path(&self) -> String {
        self.path.clone()
    }

    pub fn query(&self) -> Option<String> {
        self.query.clone()
    }

    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.header_values(name).into_iter().next()
    }

    pub fn header_text(&self, name: &str) -> Option<String> {
        self.header(name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    pub fn header_values(&self, name: &str) -> Vec<Vec<u8>> {
        let values = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        values.map(|header| header.value.clone()).collect()
    }

    pub fn headers(&self) -> Vec<Header> {
        let mut headers = self.headers.clone();
        let first = |name: &str| self.headers.iter().position(|header| header.name == name);
        headers.sort_by_key(|header| first(&header.name));
        headers
    }

    pub fn client_ip(&self) -> String {
        self.client_ip.to_string()
    }

    pub fn listener(&self) -> String {
        self.listener.clone()
    }

    pub fn tls(&self) -> Option<ClientTls> {
        self.tls.clone()
    }

    pub fn attempts(&self) -> Vec<Attempt> {
        self.attempts.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parts(url: &str, scheme: &str, authority: &str, path: &str, query: Option<&str>) {
        let request: &Request = &get(url);
        let seen = (request.scheme(), request.authority(), request.path(), request.query());
        assert_eq!(seen, (scheme.to_owned(), authority.to_owned(), path.to_owned(), query.map(str::to_owned)));
    }

    #[test]
    fn a_url_is_taken_apart() {
        parts("https://Shop.Example:8443/cart?x=1", "https", "shop.example:8443", "/cart", Some("x=1"));
        parts("http://shop.example", "http", "shop.example", "/", None);
        parts("http://shop.example?a?b", "http", "shop.example", "/", Some("a?b"));
        parts("/cart", "http", "", "/cart", None);
    }

    #[test]
    fn a_minimal_request_has_these_facts() {
        let request: &Request = &request("POST", "http://shop.example/");
        assert_eq!(request.method(), "POST");
        assert_eq!(request.client_ip(), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(request.listener(), "test");
        assert_eq!(request.tls(), None);
        assert_eq!(request.headers(), []);
        assert_eq!(request.attempts(), []);
    }

    #[test]
    fn https_has_tls_and_sni() {
        let request: &Request = &get("https://shop.example:8443/");
        assert_eq!(request.tls().unwrap().sni.as_deref(), Some("shop.example"));
    }

    #[test]
    fn facts_are_set_one_by_one() {
        let tls = ClientTls {
            sni: None,
            version: "TLSv1.2".to_owned(),
            cipher: "ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
            client_cert_sha256: Some(vec![7; 32]),
        };
        let request: &Request = &get("/").client_ip([203, 0, 113, 7]).listener("public").tls(tls.clone());
        assert_eq!(request.client_ip(), Ipv4Addr::new(203, 0, 113, 7));
        assert_eq!(request.listener(), "public");
        assert_eq!(request.tls(), Some(tls));
    }

    #[test]
    fn header_names_are_case_insensitive() {
        let request: &Request = &get("/").header("X-Shop", "north").header("x-id", [0xff]).header("x-shop", "south");
        assert_eq!(request.header("X-SHOP").as_deref(), Some("north"));
        assert_eq!(request.header("x-id").as_deref(), Some("\u{fffd}"));
        assert_eq!(request.header_bytes("x-id").as_deref(), Some(&b"\xff"[..]));
        assert_eq!(request.header_values("x-shop"), [b"north", b"south"]);
        assert_eq!(request.header_bytes("x-none"), None);
        let names: Vec<String> = request.headers().into_iter().map(|header| header.name).collect();
        assert_eq!(names, ["x-shop", "x-shop", "x-id"]);
    }

    #[test]
    fn attempts_are_numbered() {
        let request = get("/").attempt(refused("127.0.0.1:9101")).attempt(status("127.0.0.1:9102", 503));
        let attempts = request.attempts();
        assert_eq!([attempts[0].number, attempts[1].number], [1, 2]);
        assert_eq!(attempts[0].failure, Failure::Refused);
        assert_eq!((attempts[1].failure, attempts[1].status), (Failure::Status, Some(503)));
    }
}
