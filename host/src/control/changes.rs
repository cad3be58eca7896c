//! The results of reloading the configuration.

use chrono::{DateTime, Utc};
use pointsman_rules::config::ConfigErrors;
use serde::Serialize;

use crate::control::{ChangesFrozen, PrepareError, lines};
use crate::credentials::CredentialError;

/// A configuration that was refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("the configuration was not read from a file, so it cannot be reloaded")]
    NoFile,
    #[error(transparent)]
    ChangesFrozen(#[from] ChangesFrozen),
    #[error(
        "{} changed, which a running proxy cannot change: restart it, or upgrade it without losing a connection \
         (docs/reload.md)", sections.join(", ")
    )]
    NeedsRestart { sections: Vec<&'static str> },
    #[error(
        "tenants with `instance_calls` would keep {wanted} instances, the proxy has room for {room} since its start: \
         restart it, or enable it for fewer tenants"
    )]
    Instances { wanted: usize, room: usize },
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("{}", lines(.0))]
    Files(Vec<PrepareError>),
    #[error("{}", lines(.0))]
    Tenants(Vec<PrepareError>),
}

/// The changes that a new configuration made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: usize,
    /// Tenants that got a new version because one of their module files changed.
    pub released: Vec<String>,
    /// Tenants whose changed files were refused: the previous version still serves.
    pub refused: Vec<RefusedFiles>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedFiles {
    pub tenant: String,
    pub step: &'static str,
    pub message: String,
}

/// A configuration that was refused as a whole.
#[derive(Debug, Clone)]
pub struct FailedReload {
    pub at: DateTime<Utc>,
    pub message: String,
}
