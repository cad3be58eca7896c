//! The results of reloading the configuration.

use chrono::{DateTime, Utc};
use pointsman_rules::config::ConfigErrors;

use crate::credentials::CredentialError;
use crate::server::{ChangesFrozen, StartError};

/// A configuration that was refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("the configuration came from no file that could be read again")]
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
         restart it, or let fewer keep any"
    )]
    Instances { wanted: usize, room: usize },
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("{}", lines(.0))]
    Files(Vec<StartError>),
    #[error("{}", lines(.0))]
    Tenants(Vec<StartError>),
}

pub(super) fn lines(errors: &[StartError]) -> String {
    errors.iter().map(|error| pointsman_rules::text::chain(error)).collect::<Vec<_>>().join("\n")
}

/// A configuration that was refused as a whole.
#[derive(Debug, Clone)]
pub struct FailedReload {
    pub at: DateTime<Utc>,
    pub message: String,
}
