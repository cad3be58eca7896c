//! From an authority to whoever claimed its hostname: exact before the longest wildcard before `*`.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::config::HostPattern;

/// Hostnames and their owners. A look-up costs one hash for each label of the name, however many tenants there are.
#[derive(Debug, Clone)]
pub struct HostTable<T> {
    exact: HashMap<String, T>,
    /// By what follows `*.`.
    wildcard: HashMap<String, T>,
    any: Option<T>,
}

impl<T: Clone> HostTable<T> {
    /// Of two owners of the same pattern the later wins; `config` refuses that case.
    pub fn new<'a>(claims: impl Iterator<Item = (&'a HostPattern, T)>) -> HostTable<T> {
        let mut table = HostTable { exact: HashMap::new(), wildcard: HashMap::new(), any: None };
        for (pattern, owner) in claims {
            match pattern {
                HostPattern::Exact(name) => drop(table.exact.insert(name.clone(), owner)),
                HostPattern::Wildcard(suffix) => drop(table.wildcard.insert(suffix.clone(), owner)),
                HostPattern::Any => table.any = Some(owner),
            }
        }
        table
    }

    /// The owner of an authority in lower case, its port ignored.
    pub fn owner(&self, authority: &str) -> Option<&T> {
        let (mut host, canonical) = (host_of(authority), canonical_ipv6(authority));
        if let Some(address) = &canonical {
            host = address;
        }
        if let Some(owner) = self.exact.get(host) {
            return Some(owner);
        }
        if !self.wildcard.is_empty() {
            let mut rest = host;
            while let Some((_, suffix)) = rest.split_once('.') {
                if let Some(owner) = self.wildcard.get(suffix) {
                    return Some(owner);
                }
                rest = suffix;
            }
        }
        self.any.as_ref()
    }
}

/// An IPv6 address has many spellings; patterns hold the canonical one.
fn canonical_ipv6(authority: &str) -> Option<String> {
    authority.starts_with('[').then(|| host_of(authority).parse::<Ipv6Addr>().ok())?.map(|address| address.to_string())
}

/// The host of an authority: no port, no brackets around an IPv6 address, no trailing dot.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, expected: Option<&str>) {
        let exact = |name: &str| HostPattern::Exact(name.to_owned());
        let wildcard = |suffix: &str| HostPattern::Wildcard(suffix.to_owned());
        let claims = [
            (exact("shop.test"), "exact"),
            (exact("::1"), "v6"),
            (exact("127.0.0.1"), "v4"),
            (wildcard("shop.test"), "short"),
            (wildcard("eu.shop.test"), "long"),
        ];
        let table = HostTable::new(claims.iter().map(|(pattern, owner)| (pattern, *owner)));
        assert_eq!(table.owner(authority).copied(), expected);
    }

    #[test]
    fn exact_name_comes_before_wildcard() {
        check("shop.test", Some("exact"));
    }

    #[test]
    fn wildcard_takes_one_label_or_more() {
        check("a.shop.test", Some("short"));
        check("a.b.shop.test", Some("short"));
        check("eu.shop.test", Some("short"));
    }

    #[test]
    fn longest_wildcard_wins() {
        check("a.eu.shop.test", Some("long"));
    }

    #[test]
    fn port_brackets_and_trailing_dot_are_ignored() {
        check("shop.test:8443", Some("exact"));
        check("shop.test.", Some("exact"));
        check("shop.test.:80", Some("exact"));
        check("[::1]:8080", Some("v6"));
        check("[0:0:0::0:1]", Some("v6"));
        check("127.0.0.1:80", Some("v4"));
    }

    #[test]
    fn nobody_owns_the_rest() {
        check("other.test", None);
        check("", None);
        check(":80", None);
        check("notshop.test", None);
        check("[", None);
    }

    #[test]
    fn star_owns_the_rest_even_without_a_name() {
        let table = HostTable::new([(&HostPattern::Any, 1)].into_iter());
        assert_eq!(table.owner("other.test"), Some(&1));
        assert_eq!(table.owner(""), Some(&1));
    }
}
