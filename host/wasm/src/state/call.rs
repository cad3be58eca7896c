//! The parameters of one call of a module.

use std::sync::Arc;

use pointsman_rules::config::Limits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::stores::Stores;

/// The inputs of the decision that a module makes, and the stores and limits that it has for that.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub inputs: &'a Inputs,
    /// None in `configure`.
    pub stores: Option<&'a Arc<Stores>>,
    pub limits: &'a Limits,
}
