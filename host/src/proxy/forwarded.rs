//! Headers that describe the client to the upstream: `x-forwarded-*` and `forwarded` (RFC 7239); and `via`.
//!
//! Any client can send such headers, so they are kept only if a trusted proxy sent them.

use std::fmt::Write as _;
use std::net::IpAddr;

use arrayvec::ArrayString;
use bytes::Bytes;
use http::header::{FORWARDED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use pingora::Result;
use pingora::http::RequestHeader;
use pointsman_rules::config::ForwardedConfig;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Prefix of all such headers, including those that this proxy does not set.
const PREFIX: &str = "x-forwarded-";

/// Facts about the request as it was received.
pub struct From<'a> {
    /// None: a client on a Unix socket.
    pub client: Option<IpAddr>,
    /// `http` or `https`.
    pub scheme: &'a str,
    pub authority: &'a str,
    /// HTTP version of the request.
    pub version: Version,
}

/// Bytes of an IPv6 address as text, at most.
const LONGEST_ADDRESS: usize = 45;

/// Removes headers that an untrusted client sent, and adds this proxy's own.
pub fn apply(config: &ForwardedConfig, from: &From<'_>, request: &mut RequestHeader) -> Result<()> {
    if !from.client.is_some_and(|client| config.trusted.iter().any(|network| network.contains(&client))) {
        for name in told_by_client(&request.headers) {
            request.remove_header(&name);
        }
    }
    if config.x_forwarded {
        if let Some(client) = from.client {
            let mut address = ArrayString::<LONGEST_ADDRESS>::new();
            // Every address fits.
            let _ = write!(address, "{client}");
            request.insert_header(FOR, joined(&request.headers, &FOR, &address))?;
        }
        // An existing value is the one that the first proxy received, so it stays.
        for (name, value) in [(HOST, from.authority), (PROTO, from.scheme)] {
            if !request.headers.contains_key(&name)
                && let Ok(value) = HeaderValue::from_str(value)
            {
                request.insert_header(name, value)?;
            }
        }
    }
    if config.forwarded {
        request.insert_header(FORWARDED, joined(&request.headers, &FORWARDED, &element(from)))?;
    }
    if config.via {
        let via = match from.version {
            Version::HTTP_10 => "1.0 pointsman",
            Version::HTTP_2 => "2.0 pointsman",
            _ => "1.1 pointsman",
        };
        let value = match request.headers.contains_key(VIA) {
            true => joined(&request.headers, &VIA, via),
            false => HeaderValue::from_static(via),
        };
        request.insert_header(VIA, value)?;
    }
    Ok(())
}

/// Headers in which a request states its origin.
fn told_by_client(headers: &HeaderMap) -> Vec<HeaderName> {
    let tells = |name: &&HeaderName| {
        let name = name.as_str();
        is(name, "forwarded")
            || is(name, "x-real-ip")
            || name.get(..PREFIX.len()).is_some_and(|start| is(start, PREFIX))
    };
    headers.keys().filter(tells).cloned().collect()
}

/// Whether two names are the same; some servers treat an underscore as a hyphen.
fn is(name: &str, expected: &str) -> bool {
    name.len() == expected.len() && name.bytes().zip(expected.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-'))
}

/// The header's existing values and one more entry, in one list.
fn joined(headers: &HeaderMap, name: &HeaderName, entry: &str) -> HeaderValue {
    let mut list = Vec::with_capacity(entry.len());
    for value in headers.get_all(name).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(entry.as_bytes());
    // Consists of header values and of text that `element` quotes, so it is a valid header value.
    HeaderValue::from_maybe_shared(Bytes::from(list)).unwrap_or(HeaderValue::from_static("unknown"))
}

/// One element of a `forwarded` header.
fn element(from: &From<'_>) -> String {
    let mut element = String::from("for=");
    // Writing to a `String` can't fail.
    let _ = match from.client {
        Some(IpAddr::V4(ip)) => write!(element, "{ip}"),
        Some(IpAddr::V6(ip)) => write!(element, "\"[{ip}]\""),
        None => write!(element, "unknown"),
    };
    if !from.authority.is_empty() {
        element.push_str(";host=");
        quoted(&mut element, from.authority);
    }
    let _ = write!(element, ";proto={}", from.scheme);
    element
}

/// Appends a token unchanged, and anything else in quotes (RFC 9110, section 5.6.4).
fn quoted(into: &mut String, value: &str) {
    if value.bytes().all(pointsman_rules::text::is_token) {
        return into.push_str(value);
    }
    into.push('"');
    for character in value.chars() {
        if character == '"' || character == '\\' {
            into.push('\\');
        }
        into.push(character);
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: From<'static> = From {
        client: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7))),
        scheme: "https",
        authority: "shop.example:8443",
        version: Version::HTTP_11,
    };

    /// Compares the headers that result from those that were sent.
    fn check(
        trusted: &[&str],
        styles: (bool, bool),
        from: &From<'_>,
        sent: &[(&str, &str)],
        expected: &[(&str, &str)],
    ) {
        let trusted = trusted.iter().map(|network| network.parse().expect("a network")).collect();
        let config = ForwardedConfig { trusted, x_forwarded: styles.0, forwarded: styles.1, via: false };
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in sent {
            request.append_header(name.to_string(), *value).expect("a header");
        }
        apply(&config, from, &mut request).expect("it is applied");
        let mut found: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        found.sort();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected);
    }

    const OURS: [(&str, &str); 3] =
        [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-host", "shop.example:8443"), ("x-forwarded-proto", "https")];

    #[test]
    fn what_a_client_claims_is_replaced() {
        let claimed = [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/admin"),
            ("x_forwarded_host", "evil.example"),
            ("x-real-ip", "10.0.0.1"),
            ("x_real-ip", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
        ];
        check(&[], (true, false), &CLIENT, &claimed, &OURS);
        check(&["192.0.2.8/32", "10.0.0.0/8"], (true, false), &CLIENT, &claimed, &OURS);
        check(&[], (false, false), &CLIENT, &claimed, &[]);
    }

    #[test]
    fn other_headers_stay() {
        let sent = [("x-forwarder", "a"), ("x-forwarded", "b"), ("x-real-ips", "c")];
        let expected = [&sent[1], &sent[0], &sent[2]].map(|header| *header);
        check(&[], (false, false), &CLIENT, &sent, &expected);
    }

    #[test]
    fn what_a_trusted_proxy_says_is_kept_and_its_address_added() {
        let said = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "www.example"),
        ];
        let expected = [
            ("x-forwarded-for", "203.0.113.9, 198.51.100.1, 192.0.2.7"),
            ("x-forwarded-host", "www.example"),
            ("x-forwarded-proto", "http"),
        ];
        check(&["192.0.2.0/24"], (true, false), &CLIENT, &said, &expected);
        check(&["192.0.2.0/24"], (true, false), &CLIENT, &[], &OURS);
    }

    #[test]
    fn forwarded_is_written_as_the_rfc_has_it() {
        let expected = [("forwarded", "for=192.0.2.7;host=\"shop.example:8443\";proto=https")];
        check(&[], (false, true), &CLIENT, &[("forwarded", "for=10.0.0.1")], &expected);
        let v6 = From { client: "2001:db8::1".parse().ok(), scheme: "http", authority: "shop.example", ..CLIENT };
        let expected = [("forwarded", "for=a, for=\"[2001:db8::1]\";host=shop.example;proto=http")];
        check(&["2001:db8::/32"], (false, true), &v6, &[("forwarded", "for=a")], &expected);
        let odd = From { client: None, scheme: "http", authority: "a\"b", ..CLIENT };
        check(&[], (false, true), &odd, &[], &[("forwarded", "for=unknown;host=\"a\\\"b\";proto=http")]);
    }

    #[test]
    fn client_without_an_address_is_not_made_up() {
        let local = From { client: None, scheme: "http", authority: "", ..CLIENT };
        let expected = [("x-forwarded-host", ""), ("x-forwarded-proto", "http")];
        check(&["0.0.0.0/0"], (true, false), &local, &[("x-forwarded-for", "10.0.0.1")], &expected);
    }

    #[test]
    fn via_names_the_version_and_follows_those_before() {
        let config = ForwardedConfig { x_forwarded: false, ..ForwardedConfig::default() };
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        request.append_header("via", "1.0 first").expect("a header");
        let from = From { version: Version::HTTP_2, ..CLIENT };
        apply(&config, &from, &mut request).expect("it is applied");
        assert_eq!(request.headers[VIA], "1.0 first, 2.0 pointsman");
    }
}
