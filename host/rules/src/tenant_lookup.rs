//! Finds the tenant of a request by its listener, server name (SNI) and authority.
//!
//! The listener has precedence (a tenant that names it before tenants that name none), then the server name, then the
//! authority. Among names, the exact one wins, then the longest wildcard, then `*`. Where the more specific claims have
//! no owner, the lookup goes on to the more general ones. It costs a few hashes for each label of the names, however
//! many tenants there are.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::config::{HostPattern, Matching};

/// Tenants by their claims.
#[derive(Debug, Clone)]
pub struct TenantTable<T> {
    by_listener: HashMap<String, ListenerTable<T>>,
    other: ListenerTable<T>,
}

/// The claims on one listener.
#[derive(Debug, Clone)]
struct ListenerTable<T> {
    by_sni: PatternTable<PatternTable<T>>,
    other: PatternTable<T>,
}

/// Values by name pattern.
#[derive(Debug, Clone)]
struct PatternTable<T> {
    exact: HashMap<String, T>,
    /// By the name after `*.`.
    wildcard: HashMap<String, T>,
    any: Option<T>,
}

impl<T: Clone> TenantTable<T> {
    /// If two tenants make the same claim, the first owns it; `config` refuses that case.
    pub fn new<'a>(claims: impl IntoIterator<Item = (&'a Matching, T)>) -> TenantTable<T> {
        let mut table = TenantTable { by_listener: HashMap::new(), other: ListenerTable::default() };
        for (matching, owner) in claims {
            for listener in &matching.listeners {
                table.by_listener.entry(listener.clone()).or_default().insert(matching, &owner);
            }
            if matching.listeners.is_empty() {
                table.other.insert(matching, &owner);
            }
        }
        table
    }

    /// The owner of a request. `sni` and `authority` are in lower case; the authority's port is ignored.
    pub fn owner(&self, listener: &str, sni: Option<&str>, authority: &str) -> Option<&T> {
        let canonical = canonical_ipv6(authority);
        let host = canonical.as_deref().unwrap_or_else(|| host_of(authority));
        let named = if self.by_listener.is_empty() { None } else { self.by_listener.get(listener) };
        named.and_then(|table| table.owner(sni, host)).or_else(|| self.other.owner(sni, host))
    }
}

impl<T: Clone> ListenerTable<T> {
    fn insert(&mut self, matching: &Matching, owner: &T) {
        for hostname in &matching.hostnames {
            for sni in &matching.sni {
                self.by_sni.slot(sni, PatternTable::default).slot(hostname, || owner.clone());
            }
            if matching.sni.is_empty() {
                self.other.slot(hostname, || owner.clone());
            }
        }
    }

    fn owner(&self, sni: Option<&str>, host: &str) -> Option<&T> {
        let by_sni = sni.and_then(|sni| self.by_sni.matches(sni).find_map(|table| table.matches(host).next()));
        by_sni.or_else(|| self.other.matches(host).next())
    }
}
impl<T> PatternTable<T> {
    /// The value of a pattern, made if there is none yet.
    fn slot(&mut self, pattern: &HostPattern, make: impl FnOnce() -> T) -> &mut T {
        match pattern {
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_insert_with(make),
            HostPattern::Wildcard(suffix) => self.wildcard.entry(suffix.clone()).or_insert_with(make),
            HostPattern::Any => self.any.get_or_insert_with(make),
        }
    }

    /// The values of the patterns that a name matches, the most specific first.
    fn matches(&self, name: &str) -> impl Iterator<Item = &T> {
        let exact = self.exact.get(name).into_iter();
        let levels = if self.wildcard.is_empty() { 0 } else { usize::MAX };
        let suffixes = name.match_indices('.').filter_map(|(at, _)| name.get(at.saturating_add(1)..)).take(levels);
        let wildcard = suffixes.filter_map(|suffix| self.wildcard.get(suffix));
        exact.chain(wildcard).chain(&self.any)
    }
}

impl<T> Default for PatternTable<T> {
    fn default() -> PatternTable<T> {
        PatternTable { exact: HashMap::new(), wildcard: HashMap::new(), any: None }
    }
}

impl<T> Default for ListenerTable<T> {
    fn default() -> ListenerTable<T> {
        ListenerTable { by_sni: PatternTable::default(), other: PatternTable::default() }
    }
}

/// The canonical spelling of an authority's IPv6 address, which patterns hold; an address has many spellings.
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

    fn exact(name: &str) -> HostPattern {
        HostPattern::Exact(name.to_owned())
    }

    fn wildcard(suffix: &str) -> HostPattern {
        HostPattern::Wildcard(suffix.to_owned())
    }

    fn matching(listeners: &[&str], sni: &[HostPattern], hostnames: &[HostPattern]) -> Matching {
        let listeners = listeners.iter().map(|name| (*name).to_owned()).collect();
        Matching { hostnames: hostnames.to_vec(), sni: sni.to_vec(), listeners }
    }

    #[track_caller]
    fn check(authority: &str, expected: Option<&str>) {
        let claims = [
            (matching(&[], &[], &[exact("shop.test")]), "exact"),
            (matching(&[], &[], &[exact("::1")]), "v6"),
            (matching(&[], &[], &[exact("127.0.0.1")]), "v4"),
            (matching(&[], &[], &[wildcard("shop.test")]), "short"),
            (matching(&[], &[], &[wildcard("eu.shop.test")]), "long"),
        ];
        let table = TenantTable::new(claims.iter().map(|(matching, owner)| (matching, *owner)));
        assert_eq!(table.owner("web", None, authority).copied(), expected);
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
    fn hostname_without_an_owner_is_not_found() {
        check("other.test", None);
        check("", None);
        check(":80", None);
        check("notshop.test", None);
        check("[", None);
    }

    #[test]
    fn star_matches_every_other_request_even_without_a_hostname() {
        let all = matching(&[], &[], &[HostPattern::Any]);
        let table = TenantTable::new([(&all, 1)]);
        assert_eq!(table.owner("web", None, "other.test"), Some(&1));
        assert_eq!(table.owner("web", None, ""), Some(&1));
    }

    #[track_caller]
    fn check_order(listener: &str, sni: Option<&str>, authority: &str, expected: Option<&str>) {
        let any = HostPattern::Any;
        let claims = [
            (matching(&[], &[], std::slice::from_ref(&any)), "any"),
            (matching(&[], &[], &[exact("shop.test")]), "host"),
            (matching(&[], &[exact("shop.test")], std::slice::from_ref(&any)), "sni"),
            (matching(&[], &[wildcard("test")], &[exact("shop.test")]), "wildcard sni"),
            (matching(&["inner", "admin"], &[], &[wildcard("test")]), "listener"),
            (matching(&["inner"], std::slice::from_ref(&any), &[exact("shop.test")]), "listener and sni"),
        ];
        let table = TenantTable::new(claims.iter().map(|(matching, owner)| (matching, *owner)));
        assert_eq!(table.owner(listener, sni, authority).copied(), expected);
    }

    #[test]
    fn listener_comes_before_server_name_before_authority() {
        check_order("web", None, "shop.test", Some("host"));
        check_order("web", None, "other.test", Some("any"));
        check_order("web", Some("shop.test"), "shop.test", Some("sni"));
        check_order("web", Some("cart.test"), "shop.test", Some("wildcard sni"));
        check_order("inner", None, "shop.test", Some("listener"));
        check_order("admin", Some("shop.test"), "shop.test", Some("listener"));
        check_order("inner", Some("cart.test"), "shop.test", Some("listener and sni"));
    }

    #[test]
    fn more_general_claim_applies_where_the_specific_one_lacks_the_host() {
        check_order("inner", None, "shop.example", Some("any"));
        check_order("web", Some("cart.test"), "cart.test", Some("any"));
        check_order("inner", Some("shop.test"), "shop.example", Some("sni"));
    }
}
