//! The inputs of a decision.

use std::sync::{Arc, LazyLock};

use crate::contract;
use crate::request::{OfflineError, RequestHead, WrittenRequest, attempts};

/// The request that a decision is about, and its failed attempts: fixed before the decision's first step, so that a
/// later step reads the same values. The clock, random numbers and stores are not part of it; reads of those carry
/// their values.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub head: Arc<RequestHead>,
    /// The attempts of this request that failed, oldest first.
    pub attempts: Arc<[contract::Attempt]>,
}

/// The failed attempts of nearly every decision.
static NONE_FAILED: LazyLock<Arc<[contract::Attempt]>> = LazyLock::new(|| Arc::new([]));

impl Inputs {
    /// The inputs of a request's first decision.
    pub fn first(head: Arc<RequestHead>) -> Inputs {
        Inputs { head, attempts: NONE_FAILED.clone() }
    }

    /// The inputs of a decision after these attempts failed.
    pub fn after(head: Arc<RequestHead>, failed: &[contract::Attempt]) -> Inputs {
        match failed {
            [] => Inputs::first(head),
            failed => Inputs { head, attempts: failed.into() },
        }
    }

    /// Whether no attempt has failed yet.
    pub fn are_first(&self) -> bool {
        self.attempts.is_empty()
    }
}

impl TryFrom<&WrittenRequest> for Inputs {
    type Error = OfflineError;

    fn try_from(request: &WrittenRequest) -> Result<Inputs, OfflineError> {
        Ok(Inputs::after(Arc::new(request.head()?), &attempts(&request.failed)?))
    }
}
