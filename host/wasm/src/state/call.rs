//! The input of a decision.

use std::sync::Arc;

use pointsman_rules::config::Limits;
use pointsman_rules::contract;
use pointsman_rules::request::RequestHead;
use pointsman_rules::stores::Stores;

/// The request that a module decides, and the stores and limits that it has for that.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub head: &'a Arc<RequestHead>,
    pub attempts: &'a Arc<[contract::Attempt]>,
    /// None in `configure`.
    pub stores: Option<&'a Arc<Stores>>,
    pub limits: &'a Limits,
}
