//! The question that a decision answers.

use std::sync::Arc;

use pointsman_rules::config::Limits;
use pointsman_rules::contract;
use pointsman_rules::request::RequestHead;
use pointsman_rules::stores::Stores;

/// What a module is asked about, and what it may use for that.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub head: &'a Arc<RequestHead>,
    pub attempts: &'a Arc<[contract::Attempt]>,
    /// None in `configure`.
    pub stores: Option<&'a Arc<Stores>>,
    pub limits: &'a Limits,
}
