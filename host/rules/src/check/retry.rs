//! Checks a module's retry policy. It may narrow the host's rules, never widen them.

use crate::check::refusal::{At, within};
use crate::check::spec::{Checked, RetryFields, RetrySpec};
use crate::check::{Problem, Refusal};
use crate::config::Limits;
use crate::contract;

/// Most statuses in one policy: 500 to 599 are 100.
const MOST_STATUSES: usize = 100;

pub fn check(raw: contract::RetryPolicy, limits: &Limits) -> Result<RetrySpec, Refusal> {
    const ON_STATUS: &str = "retry.on-status";
    let attempts = match raw.attempts {
        None => limits.attempts,
        Some(attempts) => within(attempts, 1, limits.attempts, " attempts (`limits.attempts`)").at("retry.attempts")?,
    };
    if raw.on_status.len() > MOST_STATUSES {
        return Err(Problem::TooMany { found: raw.on_status.len(), most: MOST_STATUSES }.at(ON_STATUS));
    }
    for (index, status) in raw.on_status.iter().enumerate() {
        within((*status).into(), 500, 599, "").map_err(|problem| problem.at(format!("{ON_STATUS}[{index}]")))?;
    }
    let mut on_status = raw.on_status;
    on_status.sort_unstable();
    on_status.dedup();
    Ok(Checked(RetryFields { attempts, on_status }))
}
