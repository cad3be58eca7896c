//! What came of reading the configuration again.

use chrono::{DateTime, Utc};
use pointsman_rules::config::ConfigErrors;
use serde::Serialize;

use crate::credentials::CredentialError;
use crate::server::{Frozen, StartError};

/// A configuration that is not put in force. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error("the configuration came from no file that could be read again")]
    NoFile,
    #[error(transparent)]
    Frozen(#[from] Frozen),
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

/// What a new configuration changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub unchanged: usize,
    /// Tenants with a new version, since a module file of theirs changed.
    pub released: Vec<String>,
    /// Tenants whose changed files were refused: the version before goes on serving.
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
