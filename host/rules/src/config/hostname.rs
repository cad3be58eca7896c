//! Parses hostname patterns: `shop.example`, `*.shop.example`, `*`, or an IP address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::config::HostPattern;
use crate::dns_name::{BadName, dns_name};

/// Why a text is not a hostname pattern. The message is written to follow that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHostname {
    #[error("must not be empty: `*` matches any host")]
    Empty,
    #[error("must be ASCII: write an international name in punycode, such as `xn--bcher-kva.example`")]
    NotAscii,
    #[error("must be only a hostname, without scheme and path")]
    Url,
    #[error("must be without a user name: hostnames are matched without it")]
    Userinfo,
    #[error("must be without a port: hostnames are matched without it")]
    Port,
    #[error("must have an IPv6 address between its brackets, such as `[2001:db8::1]`")]
    Brackets,
    #[error("may have a star only as its first label, as in `*.shop.example`, or alone")]
    Star,
    #[error("must not be a wildcard below an IP address, which has no names below it")]
    WildcardAddress,
    #[error("must not have an empty label: there is one dot too many")]
    EmptyLabel,
    #[error("must not have a label of more than 63 characters")]
    LongLabel,
    #[error("must not have more than 253 characters")]
    Long,
    #[error("must be a name: no client sends an IP address as its server name")]
    AddressAsSni,
    #[error("must have no characters but letters, digits, `-`, `_` and `.`")]
    Character,
}

/// Parses a pattern. Converts it to lower case and drops a trailing dot; an IPv6 address may have brackets.
pub fn pattern(text: &str) -> Result<HostPattern, BadHostname> {
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(HostPattern::Exact(ip.to_string()));
    }
    if let Some(rest) = text.strip_prefix('[') {
        return bracketed(rest);
    }
    match text.strip_prefix("*.") {
        None => name(text).map(HostPattern::Exact),
        Some(suffix) if suffix.parse::<IpAddr>().is_ok() => Err(BadHostname::WildcardAddress),
        Some("") => Err(BadHostname::EmptyLabel),
        Some(suffix) => name(suffix).map(HostPattern::Wildcard),
    }
}

/// Parses a pattern for server names (SNI): like [`pattern`], but addresses are refused.
pub fn sni_pattern(text: &str) -> Result<HostPattern, BadHostname> {
    let pattern = pattern(text)?;
    match &pattern {
        HostPattern::Exact(name) if name.parse::<IpAddr>().is_ok() => Err(BadHostname::AddressAsSni),
        _ => Ok(pattern),
    }
}

/// Parses the rest of an IPv6 address, after the opening bracket.
fn bracketed(rest: &str) -> Result<HostPattern, BadHostname> {
    let (inside, after) = rest.split_once(']').ok_or(BadHostname::Brackets)?;
    let ip: Ipv6Addr = inside.parse().map_err(|_| BadHostname::Brackets)?;
    match after {
        "" => Ok(HostPattern::Exact(ip.to_string())),
        _ => Err(BadHostname::Port),
    }
}

fn name(text: &str) -> Result<String, BadHostname> {
    // Mistakes that people paste: the error names the mistake instead of the first invalid character.
    for (mark, error) in
        [('/', BadHostname::Url), ('@', BadHostname::Userinfo), (':', BadHostname::Port), ('*', BadHostname::Star)]
    {
        if text.contains(mark) {
            return Err(error);
        }
    }
    dns_name(text).map_err(|error| match error {
        BadName::Empty => BadHostname::Empty,
        BadName::NotAscii => BadHostname::NotAscii,
        BadName::Long => BadHostname::Long,
        BadName::EmptyLabel => BadHostname::EmptyLabel,
        BadName::LongLabel => BadHostname::LongLabel,
        BadName::Character => BadHostname::Character,
    })
}

/// In the form that a configuration has.
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
    fn check(text: &str, expected: Result<&str, BadHostname>) {
        let found = pattern(text).map(|pattern| pattern.to_string());
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn names_are_lowered_and_lose_their_dot() {
        check("Shop.Example.", Ok("shop.example"));
        check("*.Shop.example.", Ok("*.shop.example"));
        check("localhost", Ok("localhost"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("a_b.example", Ok("a_b.example"));
    }

    #[test]
    fn star_matches_any_host_or_the_leading_labels() {
        assert_eq!(pattern("*"), Ok(HostPattern::Any));
        assert_eq!(pattern("*.test"), Ok(HostPattern::Wildcard("test".to_owned())));
        check("shop.*", Err(BadHostname::Star));
        check("*shop.example", Err(BadHostname::Star));
        check("a.*.example", Err(BadHostname::Star));
        check("*.*.example", Err(BadHostname::Star));
        check("**", Err(BadHostname::Star));
    }

    #[test]
    fn addresses_are_hosts_too() {
        check("127.0.0.1", Ok("127.0.0.1"));
        check("[::1]", Ok("::1"));
        check("2001:DB8:0::1", Ok("2001:db8::1"));
        check("*.127.0.0.1", Err(BadHostname::WildcardAddress));
        check("[::1", Err(BadHostname::Brackets));
        check("[127.0.0.1]", Err(BadHostname::Brackets));
        check("[shop.example]", Err(BadHostname::Brackets));
    }

    #[test]
    fn url_parts_beyond_the_host_are_refused_by_name() {
        check("http://shop.example/", Err(BadHostname::Url));
        check("shop.example/cart", Err(BadHostname::Url));
        check("user@shop.example", Err(BadHostname::Userinfo));
        check("shop.example:80", Err(BadHostname::Port));
        check("*.shop.example:80", Err(BadHostname::Port));
        check("[::1]:80", Err(BadHostname::Port));
    }

    #[test]
    fn empty_labels_are_refused() {
        check("", Err(BadHostname::Empty));
        check(".", Err(BadHostname::EmptyLabel));
        check("*.", Err(BadHostname::EmptyLabel));
        check(".shop.example", Err(BadHostname::EmptyLabel));
        check("shop..example", Err(BadHostname::EmptyLabel));
        check("shop.example..", Err(BadHostname::EmptyLabel));
    }

    #[test]
    fn long_names_are_refused() {
        let label = "a".repeat(63);
        check(&format!("{label}.example"), Ok(&format!("{label}.example")));
        check(&format!("{label}a.example"), Err(BadHostname::LongLabel));
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        check(&longest, Ok(&longest));
        check(&format!("{longest}a"), Err(BadHostname::Long));
    }

    #[test]
    fn server_name_is_no_address() {
        assert_eq!(sni_pattern("*.Shop.example"), Ok(HostPattern::Wildcard("shop.example".to_owned())));
        assert_eq!(sni_pattern("127.0.0.1"), Err(BadHostname::AddressAsSni));
        assert_eq!(sni_pattern("[::1]"), Err(BadHostname::AddressAsSni));
    }

    #[test]
    fn odd_characters_are_refused() {
        check("bücher.example", Err(BadHostname::NotAscii));
        check("a b", Err(BadHostname::Character));
        check(" shop.example", Err(BadHostname::Character));
        check("shop.example\0", Err(BadHostname::Character));
        check("100%", Err(BadHostname::Character));
    }
}
