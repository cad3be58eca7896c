//! Reads a hosts file, whose names are resolved without a name server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use pointsman_rules::dns_name::dns_name;

/// Addresses by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hosts(HashMap<String, Vec<IpAddr>>);

impl Hosts {
    pub fn load(path: &Path) -> std::io::Result<Hosts> {
        Ok(Hosts::parse(&String::from_utf8_lossy(&std::fs::read(path)?)))
    }

    /// The addresses of a name in lower case, without a trailing dot.
    pub fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Parses the format of hosts(5): an address, then its names. Skips invalid lines, as every resolver does.
    fn parse(text: &str) -> Hosts {
        let mut hosts = Hosts::default();
        for line in text.lines() {
            let entry = line.split('#').next().unwrap_or_default();
            let mut words = entry.split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words.filter_map(|name| dns_name(name).ok()) {
                let addresses = hosts.0.entry(name).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_all_their_addresses() {
        let hosts = Hosts::parse(
            "127.0.0.1 localhost\n::1\tLocalhost ip6-localhost # loopback\n192.0.2.1 a b\n192.0.2.2 a\n192.0.2.1 a\n",
        );
        let addresses = |name| hosts.addresses(name).map(|list| list.iter().map(IpAddr::to_string).collect::<Vec<_>>());
        assert_eq!(addresses("localhost"), Some(vec!["127.0.0.1".to_owned(), "::1".to_owned()]));
        assert_eq!(addresses("a"), Some(vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()]));
        assert_eq!(addresses("b"), Some(vec!["192.0.2.1".to_owned()]));
        assert_eq!(addresses("loopback"), None);
    }

    #[test]
    fn lines_without_an_entry_are_skipped() {
        assert_eq!(Hosts::parse("# nothing\n\nfe80::1%lo0 a\n127.1 b\nname only\n192.0.2.1\n"), Hosts::default());
    }
}
