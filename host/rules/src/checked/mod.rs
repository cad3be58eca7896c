//! Checked decisions of modules, in a form that several requests can share.

mod route;
mod route_cache;

use std::sync::Arc;

use crate::check::{ResponseSpec, Verdict};

pub use route::Route;
pub use route_cache::RouteCache;

/// A decision that passed the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedDecision {
    Connect(Arc<Route>),
    Respond(Arc<ResponseSpec>),
    Pass,
}

impl From<Verdict> for CheckedDecision {
    fn from(verdict: Verdict) -> CheckedDecision {
        match verdict {
            Verdict::Connect(spec) => CheckedDecision::Connect(Arc::new(Route::new(*spec))),
            Verdict::Respond(response) => CheckedDecision::Respond(Arc::new(response)),
            Verdict::Pass => CheckedDecision::Pass,
        }
    }
}

impl CheckedDecision {
    /// Approximate memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            CheckedDecision::Connect(route) => route.bytes(),
            CheckedDecision::Respond(response) => response.bytes(),
            CheckedDecision::Pass => 0,
        }
    }
}
