//! Keeps names, addresses and hostnames unique in a configuration. A second claim is reported with the place of the
//! first, even if the rest of either table is wrong.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::SocketAddr;

use crate::config::HostPattern;
use crate::config::problem::{Findings, Place, shown};
use crate::config::section::Placed;

pub struct Claims<'t> {
    findings: &'t Findings,
    listener_names: HashMap<&'t str, (Place, ListenerKind)>,
    addresses: HashMap<SocketAddr, Place>,
    credential_names: HashMap<&'t str, Place>,
    tenant_names: HashMap<&'t str, Place>,
    hostnames: HashMap<Claim<'t>, (Claimant<'t>, Place)>,
}

/// The connections that a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    Tls,
    Plain,
}

/// A combination of listener, server name and hostname; no two tenants may have the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim<'t> {
    /// None: all listeners, except what other tenants claim on a named one.
    pub listener: Option<&'t str>,
    /// None: with or without a server name.
    pub sni: Option<HostPattern>,
    pub hostname: HostPattern,
}

/// The tenant that makes a claim.
#[derive(Debug, Clone)]
pub struct Claimant<'t> {
    /// None if the name is missing or invalid.
    pub name: Option<&'t str>,
    /// The place of its table.
    pub place: Place,
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

    pub fn listener_name(&mut self, name: &Placed<&'t str>, tls: ListenerKind) {
        let first = first_claim(&mut self.listener_names, name.value, &(name.place.clone(), tls));
        self.report_second(first.map(|(place, _)| place), &name.place, name.value);
    }

    /// Whether a listener has TLS. A listener that does not exist is reported.
    pub fn listener(&self, name: &Placed<&'t str>) -> Option<ListenerKind> {
        let found = self.listener_names.get(name.value);
        if found.is_none() {
            let mut known: Vec<String> = self.listener_names.keys().map(|name| format!("`{name}`")).collect();
            known.sort();
            let message = format!("no `[[listener]]` has the name `{}`", shown(name.value));
            let message = if known.is_empty() { message } else { format!("{message}; there is {}", known.join(", ")) };
            self.findings.add(&name.place, message);
        }
        found.map(|(_, tls)| *tls)
    }

    /// Whether any listener has TLS.
    pub fn any_tls(&self) -> bool {
        self.listener_names.values().any(|(_, tls)| *tls == ListenerKind::Tls)
    }

    /// Claims an address. Port 0 means any free port, so it may be claimed many times.
    pub fn address(&mut self, address: &Placed<SocketAddr>) {
        if address.value.port() == 0 {
            return;
        }
        // An IPv4-mapped IPv6 address is the same address.
        let canonical = SocketAddr::new(address.value.ip().to_canonical(), address.value.port());
        let first = first_claim(&mut self.addresses, canonical, &address.place);
        self.report_second(first, &address.place, &canonical.to_string());
    }

    pub fn credential_name(&mut self, name: &Placed<&'t str>) {
        let first = first_claim(&mut self.credential_names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    /// Reports a grant whose credential does not exist.
    pub fn grant(&self, name: &Placed<&'t str>) {
        if !self.credential_names.contains_key(name.value) {
            let message = format!(
                "no `[[ca]]` and no `[[client_cert]]` has the name `{}`; define it, or remove it",
                shown(name.value)
            );
            self.findings.add(&name.place, message);
        }
    }

    pub fn tenant_name(&mut self, name: &Placed<&'t str>) {
        let first = first_claim(&mut self.tenant_names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    /// Claims the hostname at `place` for a tenant. Returns whether it was free.
    pub fn hostname(&mut self, claim: Claim<'t>, place: &Place, claimant: &Claimant<'t>) -> bool {
        let whose = (claimant.clone(), place.clone());
        let Some((owner, first)) = first_claim(&mut self.hostnames, claim.clone(), &whose) else { return true };
        let line = self.findings.line(&first, place);
        let message = if owner.place == claimant.place {
            format!("{claim} is listed already, as {} in {line}; remove one", first.key)
        } else {
            let (owner, claimant) = (owner.shown(), claimant.shown());
            format!("{claimant} claims {claim}, which {owner} has already, as {} in {line}", first.key)
        };
        self.findings.add(place, message);
        false
    }

    /// Claims a name that must be unique among `names`, such as those of one tenant's groups.
    pub fn name_among(&self, names: &mut HashMap<&'t str, Place>, name: &Placed<&'t str>) {
        let first = first_claim(names, name.value, &name.place);
        self.report_second(first, &name.place, name.value);
    }

    fn report_second(&self, first: Option<Place>, place: &Place, value: &str) {
        if let Some(first) = first {
            let line = self.findings.line(&first, place);
            self.findings.add(place, format!("must be unique, but `{value}` is {} already, in {line}", first.key));
        }
    }
}

impl fmt::Display for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.hostname)?;
        if let Some(sni) = &self.sni {
            write!(f, " with SNI `{sni}`")?;
        }
        if let Some(listener) = self.listener {
            write!(f, " on listener `{listener}`")?;
        }
        Ok(())
    }
}

impl Claimant<'_> {
    fn shown(&self) -> String {
        self.name.map_or_else(|| self.place.key.clone(), |name| format!("tenant `{name}`"))
    }
}

/// Returns the earlier claim to this key, if there is one; otherwise records this claim.
fn first_claim<K: Eq + Hash, V: Clone>(claims: &mut HashMap<K, V>, key: K, claim: &V) -> Option<V> {
    let first = claims.get(&key).cloned();
    if first.is_none() {
        claims.insert(key, claim.clone());
    }
    first
}
