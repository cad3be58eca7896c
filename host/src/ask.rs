//! The middle of the walk: call and check, module after module until one does not pass. Shared by the proxy and by
//! `pointsman decide`, so that what an author sees offline is what traffic gets.

use std::sync::Arc;

use crate::answer::Failure;
use crate::call::{self, Decided};
use crate::check::{self, CredentialNames, Policy, ResponseSpec, RouteSpec, Verdict};
use crate::door::RequestHead;
use crate::local_ports;
use crate::module::Module;
use crate::raw;
use crate::tenant::Tenant;

/// What a tenant's modules want, checked.
#[derive(Debug)]
pub enum Wanted {
    Connect(Box<RouteSpec>),
    Respond(ResponseSpec),
}

/// Asks a tenant's modules about a request, from the one whose `turn` it is. On return `turn` is the one that answered.
/// `seen` is shown each module's own words before they are checked.
pub fn ask(
    tenant: &Tenant,
    modules: &[Module],
    credentials: &CredentialNames,
    turn: &mut usize,
    head: &Arc<RequestHead>,
    attempts: &Arc<[raw::Attempt]>,
    mut seen: impl FnMut(&Module, &Decided),
) -> Result<Wanted, Failure> {
    let policy = Policy {
        limits: &tenant.limits,
        upstream: &tenant.upstream,
        grants: &tenant.grants,
        credentials,
        own: &tenant.own,
        local_ports: local_ports::system(),
    };
    while let Some(module) = modules.get(*turn) {
        let decided = call::decide(module, head, attempts, &tenant.limits);
        seen(module, &decided);
        match check::check(decided.answer?, &policy)? {
            Verdict::Connect(route) => return Ok(Wanted::Connect(route)),
            Verdict::Respond(response) => return Ok(Wanted::Respond(response)),
            Verdict::Pass => *turn += 1,
        }
    }
    Err(Failure::NoDecision)
}
