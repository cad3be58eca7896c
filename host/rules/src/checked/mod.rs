//! What a module's answer came to, in a form that several requests can share.

mod route;
mod routes;

use std::sync::Arc;

use crate::check::{ResponseSpec, Verdict};

pub use route::Route;
pub use routes::Routes;

/// A checked answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Connect(Arc<Route>),
    Respond(Arc<ResponseSpec>),
    Pass,
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Answer {
        match verdict {
            Verdict::Connect(spec) => Answer::Connect(Arc::new(Route::new(*spec))),
            Verdict::Respond(response) => Answer::Respond(Arc::new(response)),
            Verdict::Pass => Answer::Pass,
        }
    }
}

impl Answer {
    /// Memory that it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Connect(route) => route.bytes(),
            Answer::Respond(response) => response.bytes(),
            Answer::Pass => 0,
        }
    }
}
