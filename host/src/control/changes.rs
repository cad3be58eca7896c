//! The results of reloading the configuration.

use chrono::{DateTime, Utc};
use pointsman_rules::config::ConfigErrors;

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

/// A configuration that was refused as a whole.
#[derive(Debug, Clone)]
pub struct FailedReload {
    pub at: DateTime<Utc>,
    pub message: String,
}
