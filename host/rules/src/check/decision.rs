//! The entry point of the checks: checks a whole decision.

use crate::check::refusal::{At, short_text};
use crate::check::spec::{Checked, ResponseSpec, RouteFields, RouteSpec};
use crate::check::{CredentialNames, Egress, OwnAddresses, Refusal, peer, response, retry, rewrite};
use crate::config::{Grants, Limits, UpstreamDefaults};
use crate::contract;

/// A tenant's permissions, and its defaults for fields that a decision leaves open.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    pub limits: &'a Limits,
    pub upstream: &'a UpstreamDefaults,
    pub grants: &'a Grants,
    pub credentials: &'a CredentialNames,
    pub own: &'a OwnAddresses,
    /// First and last of the local ports that this system assigns. None: a decision can't ask for a part of that range.
    pub local_ports: Option<(u16, u16)>,
    /// Whether the TLS library accepts a list of key exchange groups, joined by colons.
    pub tls_groups: fn(&str) -> bool,
}

impl Policy<'_> {
    pub fn egress(&self) -> Egress<'_> {
        Egress { grants: self.grants, own: self.own }
    }
}

/// A decision that passed the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Connect(Box<RouteSpec>),
    Respond(ResponseSpec),
    Pass,
}

/// Longest note, in bytes: the note is part of the request's access log line.
const LONGEST_NOTE: usize = 256;

/// Checks a module's decision against the contract and the tenant's policy.
///
/// # Errors
/// The first field that does not pass.
pub fn check(raw: contract::Decision, policy: &Policy<'_>) -> Result<Verdict, Refusal> {
    Ok(match raw {
        contract::Decision::Connect(route) => Verdict::Connect(Box::new(check_route(route, policy)?)),
        contract::Decision::Respond(response) => Verdict::Respond(response::check(response, policy.limits)?),
        contract::Decision::Pass => Verdict::Pass,
    })
}

fn check_route(raw: contract::Route, policy: &Policy<'_>) -> Result<RouteSpec, Refusal> {
    Ok(Checked(RouteFields {
        peer: peer::check(raw.peer, policy)?,
        rewrite: rewrite::check(raw.rewrite)?,
        retry: retry::check(raw.retry, policy.limits)?,
        note: raw.note.map(|note| short_text(note, LONGEST_NOTE)).transpose().at("note")?,
    }))
}
