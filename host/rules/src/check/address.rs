//! Parses the addresses that a connection goes to and comes from. A form that some resolver would take for an address
//! is never treated as a name: `127.1` is refused, not resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::check::Problem;
use crate::check::spec::Target;
use crate::dns_name::{BadName, dns_name};

/// Longest path of a Unix socket, in bytes: `sun_path` without its NUL.
const LONGEST_PATH: usize = 107;

/// `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`.
pub fn target(text: &str) -> Result<Target, Problem> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path).map_err(|why| Problem::value(text, why));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Problem::value(text, BadHost::Rule("has no port; write it as `address:port`")));
    };
    let problem = |why| Problem::value(text, why);
    let port = port_number(port).map_err(problem)?;
    Ok(match host_of(host).map_err(problem)? {
        Host::Ip(ip) => Target::Socket(SocketAddr::new(ip, port)),
        Host::Name(host) => Target::Name { host, port },
    })
}

/// `ip`, or `ip:port`; IPv6 with a port in brackets. Without a port: port 0.
pub fn local(text: &str) -> Result<SocketAddr, Problem> {
    let problem = |why| Problem::value(text, why);
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip.to_canonical(), 0));
    }
    const WHY: BadHost = BadHost::Rule("is not `ip` or `ip:port`");
    if text.ends_with(']') {
        return Err(problem(BadHost::Rule("has no port; write an IPv6 address without one as `2001:db8::1`")));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| problem(WHY))?;
    match host_of(host).map_err(problem)? {
        Host::Ip(ip) => Ok(SocketAddr::new(ip, port_number(port).map_err(problem)?)),
        Host::Name(_) => Err(problem(WHY)),
    }
}

/// Checks `host` or `host:port`, as a request carries it.
pub fn authority(text: &str) -> Result<(), Problem> {
    let problem = |why| Problem::value(text, why);
    let (host, port) = match text.rsplit_once(':') {
        // A bracket after the last colon means that the colon is part of an IPv6 address.
        Some((_, after)) if after.contains(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    host_of(host).map_err(problem)?;
    port.map_or(Ok(0), port_number).map_err(problem)?;
    Ok(())
}

/// Checks a DNS name that no resolver would take for an address; returns it in lower case and without a trailing dot.
pub fn name(text: &str) -> Result<String, BadHost> {
    let name = dns_name(text)?;
    if looks_numeric(&name) {
        return Err(BadHost::Rule("is not an address: IPv4 must be written as four decimal numbers"));
    }
    Ok(name)
}

/// Why a text is not a host or not a port. The message is written to follow that text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error("{0}")]
    Rule(&'static str),
}

enum Host {
    Ip(IpAddr),
    Name(String),
}

fn host_of(host: &str) -> Result<Host, BadHost> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(BadHost::Rule("has a bracket that is not closed"))?;
        if inner.contains('%') {
            return Err(BadHost::Rule("has a zone id, which is not supported"));
        }
        let ip: Ipv6Addr = inner.parse().map_err(|_| BadHost::Rule("is not an IPv6 address between its brackets"))?;
        return Ok(Host::Ip(IpAddr::V6(ip).to_canonical()));
    }
    if host.contains(':') {
        return Err(BadHost::Rule("has too many colons; write an IPv6 address in brackets: `[2001:db8::1]:443`"));
    }
    match host.parse::<Ipv4Addr>() {
        Ok(ip) => Ok(Host::Ip(IpAddr::V4(ip))),
        Err(_) => name(host).map(Host::Name),
    }
}

/// Whether resolvers would take a name for an IPv4 address: its last label is a decimal, octal or hexadecimal number
/// (the rule of the URL standard).
fn looks_numeric(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn port_number(text: &str) -> Result<u16, BadHost> {
    const WHY: BadHost = BadHost::Rule("has no port from 1 to 65535");
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WHY);
    }
    text.parse().map_err(|_| WHY)
}

fn unix(path: &str) -> Result<Target, BadHost> {
    if !path.starts_with('/') {
        return Err(BadHost::Rule("is not an absolute path; write it as `unix:/path`"));
    }
    // The path appears in log lines.
    if path.contains(char::is_control) {
        return Err(BadHost::Rule("has control characters"));
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Err(BadHost::Rule("has `.` or `..` in its path; write it out"));
    }
    if path.len() > LONGEST_PATH {
        return Err(BadHost::Rule("is longer than 107 bytes, the most that a socket's path may have"));
    }
    Ok(Target::Unix(PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(target(text).map(|target| target.to_string()), Ok(expected.to_owned()));
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        match target(text) {
            Ok(target) => panic!("{text:?} became {target}"),
            Err(problem) => assert!(problem.to_string().contains(expected), "{problem}"),
        }
    }

    #[test]
    fn addresses_pass() {
        check("203.0.113.7:443", "203.0.113.7:443");
        check("[2001:db8::1]:443", "[2001:db8::1]:443");
        check("Origin.Example.:80", "origin.example:80");
        check("a_b-c.example:65535", "a_b-c.example:65535");
        check("localhost:1", "localhost:1");
        check("unix:/run/app.sock", "unix:/run/app.sock");
    }

    #[test]
    fn ipv4_mapped_address_is_an_ipv4_address() {
        check("[::ffff:127.0.0.1]:80", "127.0.0.1:80");
    }

    #[test]
    fn ipv4_shorthand_is_refused_and_never_taken_for_a_name() {
        for host in
            ["127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "1.2.3.256", "a.0x", "a.1"]
        {
            refused(&format!("{host}:80"), "four decimal numbers");
        }
    }

    #[test]
    fn port_is_required_and_in_range() {
        refused("203.0.113.7", "has no port");
        for port in ["", "0", "65536", "-1", "+1", "080", "8 0", "http", "99999999999999999999"] {
            refused(&format!("203.0.113.7:{port}"), "has no port from 1 to 65535");
        }
    }

    #[test]
    fn ipv6_needs_brackets_and_has_no_zone() {
        refused("2001:db8::1:443", "in brackets");
        refused("[fe80::1%eth0]:80", "zone id");
        refused("[fe80::1%1]:80", "zone id");
        refused("[::1:80", "not closed");
        refused("[]:80", "not an IPv6 address");
    }

    #[test]
    fn names_are_ascii_and_well_formed() {
        refused("bücher.example:80", "punycode");
        refused("a..b:80", "label");
        refused(".:80", "an empty label");
        refused(":80", "is empty");
        refused("user@host:80", "characters other than");
        refused("a b:80", "characters other than");
        refused("a\0b:80", "characters other than");
        refused("a\r\nb:80", "characters other than");
        refused("*.example:80", "characters other than");
        refused(&format!("{}:80", "a".repeat(64)), "label");
        refused(&format!("{}:80", "a.".repeat(200)), "more than 253");
    }

    #[test]
    fn unix_path_is_absolute_and_fits() {
        refused("unix:", "absolute");
        refused("unix:app.sock", "absolute");
        for path in ["/a\0b", "/\0", "/a\nb", "/a\u{85}b"] {
            refused(&format!("unix:{path}"), "control characters");
        }
        refused(&format!("unix:/{}", "a".repeat(107)), "107 bytes");
        check(&format!("unix:/{}", "a".repeat(106)), &format!("unix:/{}", "a".repeat(106)));
    }

    #[test]
    fn local_address_is_an_ip_with_or_without_a_port() {
        let parsed = |text| local(text).map(|address| address.to_string());
        assert_eq!(parsed("127.0.0.2"), Ok("127.0.0.2:0".to_owned()));
        assert_eq!(parsed("127.0.0.2:4000"), Ok("127.0.0.2:4000".to_owned()));
        assert_eq!(parsed("::1"), Ok("[::1]:0".to_owned()));
        assert_eq!(parsed("[::1]:4000"), Ok("[::1]:4000".to_owned()));
        for text in ["", "host", "host:80", "127.0.0.2:0", "127.0.0.2:", "127.1"] {
            assert!(local(text).is_err(), "{text}");
        }
        let message = local("[::1]").map_err(|problem| problem.to_string());
        assert!(
            message.is_err_and(|message| message.starts_with("`[::1]` has no port; write an IPv6 address without"))
        );
    }

    #[test]
    fn authority_is_a_host_with_or_without_a_port() {
        for text in ["shop.example", "Shop.example:81", "203.0.113.7", "203.0.113.7:80", "[::1]", "[::1]:80"] {
            assert_eq!(authority(text), Ok(()), "{text}");
        }
        for text in ["", ":80", "a:0", "u@a", "a/b", "a b", "::1", "[::1", "a:80:80", "a\r\nb", "127.1"] {
            assert!(authority(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_shown_escaped_and_cut() {
        let shown = target(&format!("\r\n{}", "x".repeat(1000))).map_err(|problem| problem.to_string());
        assert!(shown.is_err_and(|message| message.starts_with("`\\r\\nxxx") && message.len() < 200));
    }
    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn accepted_address_is_shown_as_one_that_means_the_same(
            text in prop_oneof![
                "[0-9a-zA-Z_.-]{1,20}:[0-9]{1,5}",
                "([0-9]{1,3}\\.){3}[0-9]{1,3}:[1-9][0-9]{0,3}",
                "\\[[0-9a-fA-F:]{2,20}(:1\\.2\\.3\\.4)?\\]:[1-9][0-9]{0,3}",
                "unix:/\\PC{0,110}",
            ],
        ) {
            if let Ok(accepted) = target(&text) {
                prop_assert_eq!(target(&accepted.to_string()), Ok(accepted));
            }
        }
    }
}
