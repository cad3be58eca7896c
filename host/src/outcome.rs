//! The readable form of a decision's outcome: for `pointsman decide`, a tenant's tests, and the differences between
//! two versions.

use pointsman_rules::check::{ResponseSpec, RouteSpec};
use pointsman_rules::config::FailureAnswer;
use serde::Serialize;
use serde_json::Value;

use crate::answer::Failure;
use crate::evaluate::Action;

/// The proxy's action for a request, as JSON shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<'a> {
    Connect(&'a RouteSpec),
    Respond(&'a ResponseSpec),
    Refused { reason: String, code: &'static str, client_gets_status: u16 },
}

impl<'a> Outcome<'a> {
    /// `answer` is the tenant's own failure answer.
    pub fn new(action: &'a Result<Action, Failure>, answer: &FailureAnswer) -> Outcome<'a> {
        match action {
            Ok(Action::Connect(route)) => Outcome::Connect(route.spec()),
            Ok(Action::Respond(response)) => Outcome::Respond(response),
            Err(failure) => Outcome::Refused {
                reason: failure.to_string(),
                code: failure.answer().code,
                client_gets_status: failure.status(Some(answer)).as_u16(),
            },
        }
    }

    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
