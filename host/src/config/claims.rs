//! What may be claimed once in a file: names, addresses and hostnames. A second claim is reported with the place of the
//! first, also where the rest of either table is wrong.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;

use crate::config::HostPattern;
use crate::config::problem::{Findings, Place, shown};
use crate::config::section::Placed;

pub struct Claims<'t> {
    findings: &'t Findings,
    listener_names: HashMap<&'t str, Place>,
    addresses: HashMap<SocketAddr, Place>,
    credential_names: HashMap<&'t str, Place>,
    tenant_names: HashMap<&'t str, Place>,
    hostnames: HashMap<HostPattern, (Claimant<'t>, Place)>,
}

/// A tenant, as far as it is known.
#[derive(Debug, Clone)]
pub struct Claimant<'t> {
    /// None if the name is missing or wrong.
    pub name: Option<&'t str>,
    /// The key of its table, such as `tenant[0]`.
    pub key: String,
}

impl<'t> Claims<'t> {
    pub fn new(findings: &'t Findings) -> Claims<'t> {
        Claims {
            findings,
            listener_names: HashMap::new(),
            addresses: HashMap::new(),
            credential_names: HashMap::new(),
            tenant_names: HashMap::new(),
            hostnames: HashMap::new(),
        }
    }

    pub fn listener_name(&mut self, name: &Placed<&'t str>) {
        let first = first_claim(&mut self.listener_names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    /// Port 0 is any free port, so it may be claimed many times.
    pub fn address(&mut self, address: &Placed<SocketAddr>) {
        if address.value.port() == 0 {
            return;
        }
        // IPv4 in an IPv6 coat is the same address.
        let canonical = SocketAddr::new(address.value.ip().to_canonical(), address.value.port());
        let first = first_claim(&mut self.addresses, canonical, &address.place);
        self.report_second(first, &address.place, &canonical.to_string());
    }

    pub fn credential_name(&mut self, name: &Placed<&'t str>) {
        let first = first_claim(&mut self.credential_names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    /// Reports the grant of a credential that there is not.
    pub fn grant(&self, name: &Placed<&'t str>) {
        if !self.credential_names.contains_key(name.value) {
            let message = format!(
                "no `[[ca]]` and no `[[client_cert]]` has the name `{}`; define it, or leave it out",
                shown(name.value)
            );
            self.findings.add(&name.place, message);
        }
    }

    pub fn tenant_name(&mut self, name: &Placed<&'t str>) {
        let first = first_claim(&mut self.tenant_names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    pub fn hostname(&mut self, hostname: &Placed<HostPattern>, claimant: &Claimant<'t>) {
        let Placed { value: pattern, place } = hostname;
        let claim = (claimant.clone(), place.clone());
        let Some((owner, first)) = first_claim(&mut self.hostnames, pattern.clone(), &claim) else { return };
        let line = self.findings.line(first.offset);
        let message = if owner.key == claimant.key {
            format!("`{pattern}` is listed already, as {} in line {line}; leave one out", first.key)
        } else {
            let (owner, claimant) = (owner.shown(), claimant.shown());
            format!("{claimant} claims `{pattern}`, which {owner} has already, as {} in line {line}", first.key)
        };
        self.findings.add(place, message);
    }

    fn report_second(&self, first: Option<Place>, place: &Place, value: &str) {
        if let Some(first) = first {
            let line = self.findings.line(first.offset);
            self.findings.add(place, format!("must be unique, but `{value}` is {} already, in line {line}", first.key));
        }
    }
}

impl Claimant<'_> {
    fn shown(&self) -> String {
        self.name.map_or_else(|| self.key.clone(), |name| format!("tenant `{name}`"))
    }
}

/// Who claimed this before, if anybody did; from now on it is claimed.
fn first_claim<K: Eq + Hash, V: Clone>(claims: &mut HashMap<K, V>, key: K, claim: &V) -> Option<V> {
    let first = claims.get(&key).cloned();
    if first.is_none() {
        claims.insert(key, claim.clone());
    }
    first
}
