//! Hostname patterns.

use std::fmt;
use std::net::IpAddr;

use crate::config::HostPattern;

/// Reads a pattern: `shop.example`, `*.shop.example`, `*`, or an IP address.
pub fn pattern(text: &str) -> Result<HostPattern, &'static str> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(HostPattern::Exact(ip.to_string()));
    }
    match text.strip_prefix("*.") {
        Some(suffix) => name(suffix).map(HostPattern::Wildcard),
        None => name(text).map(HostPattern::Exact),
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    if !text.is_ascii() {
        return Err("is not ASCII; write international names in punycode (`xn--...`)");
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.contains('*') {
        return Err("may have a star only in the place of its first labels: `*.shop.example`, or `*` for any host");
    }
    if name.contains('@') || name.contains('/') {
        return Err("must be a hostname alone, not a URL");
    }
    if name.contains(':') {
        return Err("must be without a port: ports are ignored when hostnames are matched");
    }
    if name.is_empty() || name.len() > 253 {
        return Err("must have 1 to 253 characters");
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("has a label that is not 1 to 63 characters long");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err("has characters other than letters, digits, `-`, `_` and `.`");
        }
    }
    Ok(name.to_ascii_lowercase())
}

/// As it is written in a configuration.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Wildcard(suffix) => write!(f, "*.{suffix}"),
            HostPattern::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        match (pattern(text), expected) {
            (Ok(pattern), Ok(expected)) => assert_eq!(pattern.to_string(), expected),
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn names_are_lowered_and_lose_their_dot() {
        check("Shop.Example.", Ok("shop.example"));
        check("*.Shop.example", Ok("*.shop.example"));
        check("*", Ok("*"));
        check("localhost", Ok("localhost"));
    }

    #[test]
    fn addresses_are_names_too() {
        check("127.0.0.1", Ok("127.0.0.1"));
        check("[::1]", Ok("::1"));
        check("2001:DB8::1", Ok("2001:db8::1"));
    }

    #[test]
    fn what_is_no_hostname_is_refused() {
        check("", Err("1 to 253"));
        check("*.", Err("1 to 253"));
        check("shop.*", Err("star"));
        check("*shop.example", Err("star"));
        check("*.*.example", Err("star"));
        check("bücher.example", Err("punycode"));
        check("shop.example:80", Err("port"));
        check("user@shop.example", Err("URL"));
        check("http://shop.example/", Err("URL"));
        check("a..b", Err("label"));
        check("a b", Err("characters"));
    }
}
