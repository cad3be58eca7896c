//! Why a proxy does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use pointsman_wasm::engine::EngineError;
use pointsman_wasm::module::FolderError;

use crate::control::{PrepareError, lines};
use crate::credentials::CredentialError;
use crate::log::AccessLogError;
use crate::resolve::ResolverError;
use crate::server::UpgradeError;

/// Why a proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("listener `{name}`: cannot listen on {address}")]
    Listen { name: String, address: SocketAddr, source: std::io::Error },
    /// All that is wrong with what a configuration names.
    #[error("{}", lines(.0))]
    Several(Vec<StartError>),
    #[error("admin: cannot listen on {address}")]
    Admin { address: String, source: std::io::Error },
    #[error("proxy.cache_dir `{path}`: {source}")]
    Cache { path: PathBuf, source: FolderError },
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    #[error("proxy.ca_file: cannot use `{path}`: {message}")]
    CaFile { path: PathBuf, message: String },
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot start threads")]
    Threads { source: std::io::Error },
}

impl StartError {
    /// Whether every error is about a module or a tenant's configuration: the exit status is then 3.
    pub fn is_refusal(&self) -> bool {
        match self {
            StartError::Prepare(error) => match error {
                PrepareError::Module { .. } | PrepareError::Tenant { .. } | PrepareError::Release { .. } => true,
                PrepareError::State(_) | PrepareError::Tls { .. } | PrepareError::Token { .. } => false,
            },
            StartError::Several(errors) => errors.iter().all(StartError::is_refusal),
            StartError::Listen { .. }
            | StartError::Admin { .. }
            | StartError::Cache { .. }
            | StartError::Upgrade(_)
            | StartError::Metrics(_)
            | StartError::Credential(_)
            | StartError::Resolver(_)
            | StartError::CaFile { .. }
            | StartError::AccessLog(_)
            | StartError::Engine(_)
            | StartError::Threads { .. } => false,
        }
    }
}
