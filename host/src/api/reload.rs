//! The result of a reload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ReleaseStep;

/// The changes that a new configuration made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Names of new tenants.
    pub added: Vec<String>,
    /// Names of tenants with another configuration.
    pub changed: Vec<String>,
    /// Names of tenants that are no longer configured.
    pub removed: Vec<String>,
    /// Number of tenants whose configuration is the same.
    pub unchanged: usize,
    /// Tenants that got a new version because one of their module files changed.
    pub released: Vec<String>,
    /// Tenants whose changed files were refused: the previous version keeps serving.
    pub refused: Vec<RefusedFiles>,
}

/// A tenant whose changed files were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedFiles {
    /// The tenant's name.
    pub tenant: String,
    /// The step at which they were refused.
    pub step: ReleaseStep,
    /// Why they were refused.
    pub message: String,
}
