//! Checks that a request was meant for this proxy, and that no page of another site sent it. A browser sends requests
//! of any page, also to addresses that only this machine can reach: through a name whose owner points it here (DNS
//! rebinding), or across sites.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header};
use pointsman_rules::dns_name::dns_name;
use pointsman_rules::request::{self, Authority, parse_authority};

use crate::admin::ApiError;
use crate::api::Code;

/// A host and an optional port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    /// In lower case, without a trailing dot.
    Name(String),
}

/// Checks the target and the origin of a request. `hosts` are the names that the operator gave the listener.
pub fn judge(uri: &Uri, headers: &HeaderMap, version: Version, hosts: &[String]) -> Result<(), ApiError> {
    let host = only(headers, header::HOST)?;
    // In HTTP/2, and with a target in absolute form, the target contains the authority.
    let place = match (uri.authority().map(|authority| authority.as_str()), host) {
        (Some(target), Some(host)) => {
            place(host).filter(|host| is_allowed(host, hosts)).ok_or_else(|| not_allowed(host))?;
            target
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) if version < Version::HTTP_11 => "localhost",
        (None, None) => return Err(ApiError::new(Code::BadRequest, "the header `host` is missing (RFC 9112, 3.2)")),
    };
    let asked = self::place(place).filter(|place| is_allowed(place, hosts)).ok_or_else(|| not_allowed(place))?;
    match only(headers, header::ORIGIN)? {
        None => Ok(()),
        Some(origin) if is_of(origin, &asked) => Ok(()),
        Some(origin) => Err(ApiError::new(
            Code::CrossSite,
            format!("the request comes from a page of another site: `origin: {}`", shown(origin)),
        )),
    }
}

/// Nobody else can point an IP address here, nor `localhost` (RFC 6761, section 6.3).
fn is_allowed(place: &Place, hosts: &[String]) -> bool {
    match &place.host {
        Host::Ip(_) => true,
        Host::Name(name) => name == "localhost" || hosts.contains(name),
    }
}

fn not_allowed(host: &str) -> ApiError {
    ApiError::new(
        Code::HostNotAllowed,
        format!(
            "the host `{}` is not a name of this listener: use its address, or add the name to `admin.hosts`",
            shown(host)
        ),
    )
}

/// Whether a page of this origin (RFC 6454, section 7) was loaded from `asked`.
fn is_of(origin: &str, asked: &Place) -> bool {
    let default = |scheme: &str| match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let (Some(default), Some(page)) = (default(&scheme.to_ascii_lowercase()), place(rest)) else { return false };
    page.host == asked.host && page.port.unwrap_or(default) == asked.port.unwrap_or(default)
}

/// The value of a header that a request may have at most once.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(&name).iter();
    let bad = |what| ApiError::new(Code::BadRequest, format!("the header `{name}` {what}"));
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (_, Some(_)) => Err(bad("is sent more than once")),
        (Some(Err(_)), None) => Err(bad("has characters other than ASCII")),
        (Some(Ok(value)), None) => Ok(Some(value)),
        (None, None) => Ok(None),
    }
}

/// Parses `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. None: it is none of these.
fn place(text: &str) -> Option<Place> {
    let Authority { host, port } = parse_authority(text.as_bytes())?;
    let host = match host {
        request::Host::Ipv6(ip) => Host::Ip(ip.to_canonical()),
        request::Host::Name(name) => match name.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(dns_name(name).ok()?),
        },
    };
    Some(Place { host, port })
}

fn shown(text: &str) -> String {
    /// The longest hostname, in bytes.
    const LONGEST: usize = 253;
    pointsman_rules::text::printable(text, LONGEST).0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for a request with these headers.
    #[track_caller]
    fn judged(target: &str, version: Version, headers: &[(&'static str, &str)]) -> Result<(), Code> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let hosts = ["metrics.example".to_owned()];
        judge(&target.parse().expect("a target"), &map, version, &hosts).map_err(|error| error.code)
    }

    fn host(host: &str) -> Result<(), Code> {
        judged("/metrics", Version::HTTP_11, &[("host", host)])
    }

    #[test]
    fn addresses_and_own_names_are_allowed() {
        for own in [
            "127.0.0.1",
            "127.0.0.1:9180",
            "203.0.113.7:9180",
            "[::1]",
            "[::1]:9180",
            "localhost",
            "LocalHost.:9180",
            "metrics.example",
            "Metrics.Example:9180",
            "metrics.example.",
            "metrics.example:",
        ] {
            assert_eq!(host(own), Ok(()), "{own}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for other in [
            "evil.example",
            "localhost.evil.example",
            "metrics.example.evil.example",
            "sub.metrics.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80:90",
            "127.0.0.1:99999",
            "127.0.0.1:+80",
            "user@localhost",
            "localhost@evil.example",
            "localhost/x",
            "localhost evil",
            "localhost, evil.example",
            "[::1",
            "[::1]x",
            "[localhost]",
            "::1",
            "",
            ":80",
        ] {
            assert_eq!(host(other), Err(Code::HostNotAllowed), "{other}");
        }
    }

    #[test]
    fn host_is_given_once_unless_the_client_is_old() {
        assert_eq!(judged("/", Version::HTTP_11, &[]), Err(Code::BadRequest));
        assert_eq!(judged("/", Version::HTTP_10, &[]), Ok(()));
        assert_eq!(judged("/", Version::HTTP_10, &[("host", "evil.example")]), Err(Code::HostNotAllowed));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(judged("/", Version::HTTP_11, &twice), Err(Code::BadRequest));
    }

    #[test]
    fn host_of_the_target_is_judged_as_well() {
        let own = [("host", "localhost")];
        assert_eq!(judged("http://localhost/metrics", Version::HTTP_2, &[]), Ok(()));
        assert_eq!(judged("http://evil.example/metrics", Version::HTTP_2, &[]), Err(Code::HostNotAllowed));
        assert_eq!(judged("http://evil.example/metrics", Version::HTTP_11, &own), Err(Code::HostNotAllowed));
        let evil = [("host", "evil.example")];
        assert_eq!(judged("http://localhost/metrics", Version::HTTP_11, &evil), Err(Code::HostNotAllowed));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let from = |host, origin| judged("/", Version::HTTP_11, &[("host", host), ("origin", origin)]);
        for (host, origin) in [
            ("127.0.0.1:9180", "http://127.0.0.1:9180"),
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("metrics.example", "https://metrics.example"),
            ("metrics.example", "https://metrics.example:443"),
            ("[::1]:9180", "http://[::1]:9180"),
        ] {
            assert_eq!(from(host, origin), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:9180", "http://evil.example"),
            ("127.0.0.1:9180", "http://127.0.0.1:8080"),
            ("127.0.0.1:9180", "http://localhost:9180"),
            ("127.0.0.1:9180", "null"),
            ("127.0.0.1:9180", ""),
            ("127.0.0.1:9180", "127.0.0.1:9180"),
            ("127.0.0.1:9180", "ftp://127.0.0.1:9180"),
            ("localhost", "https://localhost:80"),
        ] {
            assert_eq!(from(host, origin), Err(Code::CrossSite), "{host} {origin}");
        }
        let two = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://evil.example")];
        assert_eq!(judged("/", Version::HTTP_11, &two), Err(Code::BadRequest));
    }
}
