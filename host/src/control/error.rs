//! Errors of preparing what a configuration names: at a start, in a check, and in a reload.

use std::error::Error;
use std::path::PathBuf;

use pointsman_rules::text::chain;
use pointsman_wasm::module::LoadError;

use crate::door::TlsError;
use crate::release::StoreError;
use crate::tenant::TenantError;

/// Why a part of a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("tenant `{tenant}`: module `{path}`: {source}")]
    Module { tenant: String, path: PathBuf, source: Box<LoadError> },
    #[error("tenant `{tenant}`: {source}")]
    Tenant { tenant: String, source: TenantError },
    #[error("tenant `{tenant}`: {message}")]
    Release { tenant: String, message: String },
    #[error("proxy.state_dir: {0}")]
    State(#[from] StoreError),
    #[error("listener `{name}`: {source}")]
    Tls { name: String, source: TlsError },
    #[error("admin.token_file: cannot use `{path}`: {message}")]
    Token { path: PathBuf, message: String },
}

/// Errors as text, a line for each.
pub fn lines<E: Error + 'static>(errors: &[E]) -> String {
    errors.iter().map(|error| chain(error)).collect::<Vec<_>>().join("\n")
}
