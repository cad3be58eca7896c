//! Parses the authorities of requests by one grammar: `Host`, `:authority`, an absolute request target, server names.
//!
//! Stricter than RFC 3986, section 3.2.2: a registered name must be a DNS name, since no other name can belong to a
//! tenant, and some server reads any other spelling differently.

use std::net::Ipv6Addr;

use crate::dns_name::check_dns_name;
use crate::request::refusal::Refusal;

/// `host` or `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    pub host: Host<'a>,
    /// None also for an empty port (RFC 3986, section 3.2.3).
    pub port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// In brackets.
    Ipv6(Ipv6Addr),
    /// A DNS name, or an IPv4 address, as written.
    Name(&'a str),
}

/// Checks the value of `host` or `:authority`.
pub fn check_host(bytes: &[u8]) -> Result<(), Refusal> {
    match parse_authority(bytes) {
        Some(_) => Ok(()),
        None => Err(Refusal::Host("is not a host with or without a port (RFC 9110, section 7.2)")),
    }
}

/// Parses `host` or `host:port`. None: the bytes are neither.
pub fn parse_authority(bytes: &[u8]) -> Option<Authority<'_>> {
    let text = str::from_utf8(bytes).ok()?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            let port = if after.is_empty() { after } else { after.strip_prefix(':')? };
            (Host::Ipv6(address.parse().ok()?), port)
        }
        None => {
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            check_dns_name(name).ok()?;
            (Host::Name(name), port)
        }
    };
    let port = match port {
        "" => None,
        _ if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        _ => return None,
    };
    Some(Authority { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port_pass() {
        for text in [
            "shop.test",
            "Shop.TEST:8080",
            "shop.test.",
            "shop.test:",
            "shop.test:0",
            "my_shop-1.test",
            "127.0.0.1:80",
            "127.1",
            "[2001:db8::1]",
            "[::1]:443",
        ] {
            assert!(parse_authority(text.as_bytes()).is_some(), "{text:?}");
        }
    }

    #[test]
    fn host_and_port_are_read() {
        let read = |text: &'static str| parse_authority(text.as_bytes());
        let (name, ipv6) = (Host::Name("Shop.test."), Host::Ipv6(Ipv6Addr::LOCALHOST));
        assert_eq!(read("Shop.test.:8080"), Some(Authority { host: name, port: Some(8080) }));
        assert_eq!(read("Shop.test.:"), Some(Authority { host: name, port: None }));
        assert_eq!(read("[::1]:443"), Some(Authority { host: ipv6, port: Some(443) }));
        assert_eq!(read("[::1]"), Some(Authority { host: ipv6, port: None }));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ":80",
            "a/path",
            "a, b",
            "a,b",
            "a b",
            "a?x",
            "a#x",
            "a:99999",
            "a:8a",
            "a:-1",
            "a:+1",
            "a:80:90",
            "[lab.test]",
            "[::1",
            "[::1]80",
            "[fe80::1%eth0]",
            "[v1.a]",
            "::1",
            "x..lab.test",
            ".test",
            "user@a",
            "a%2f",
            "b\u{fc}cher.test",
            "a\0",
            "a\t",
            " a",
            "a\\b",
            "*.test",
        ] {
            assert!(parse_authority(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(parse_authority(b"\xff.test").is_none());
    }
}
