//! The one grammar of authorities in requests: `Host`, `:authority`, an absolute request target, and server names.
//!
//! Stricter than RFC 3986, section 3.2.2: a registered name must be a DNS name, since nothing else can belong to a
//! tenant and every other spelling is read differently by some server.

use std::net::Ipv6Addr;

use crate::dns_name::{BadName, check_dns_name};

/// Not an authority. A message follows the name of the field that held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAuthority {
    #[error("has bytes outside printable ASCII")]
    Bytes,
    #[error("has user information, which is not allowed in requests (RFC 9110, section 4.2.4)")]
    UserInfo,
    #[error("is not an IPv6 address between its brackets")]
    Ipv6,
    #[error("has a port that is not a number from 0 to 65535")]
    Port,
    #[error("{0}")]
    Name(#[from] BadName),
}

/// Checks `host` or `host:port`; the port may be empty (RFC 3986, section 3.2.3).
pub fn check_authority(bytes: &[u8]) -> Result<&str, BadAuthority> {
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(BadAuthority::Bytes);
    }
    let text = str::from_utf8(bytes).map_err(|_| BadAuthority::Bytes)?;
    if text.contains('@') {
        return Err(BadAuthority::UserInfo);
    }
    let port = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or(BadAuthority::Ipv6)?;
            address.parse::<Ipv6Addr>().map_err(|_| BadAuthority::Ipv6)?;
            if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(BadAuthority::Port)?) }
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            check_dns_name(host)?;
            port
        }
    };
    match port {
        None | Some("") => Ok(text),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok() => Ok(text),
        Some(_) => Err(BadAuthority::Port),
    }
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
            assert_eq!(check_authority(text.as_bytes()), Ok(text));
        }
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
            assert!(check_authority(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(check_authority(b"\xff.test").is_err());
    }
}
