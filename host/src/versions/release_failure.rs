//! A new version that does not go live: at which step, and why.

use std::fmt;
use std::path::{Path, PathBuf};

use pointsman_rules::config::TenantConfig;
use pointsman_wasm::module::{Digest, LoadError, LoadStep};

use crate::api::ReleaseStep;

/// A new version that failed a step.
#[derive(Debug)]
pub struct ReleaseFailure {
    pub step: ReleaseStep,
    /// The module's file, as the configuration names it.
    pub path: PathBuf,
    pub digest: Option<Digest>,
    message: String,
}

impl ReleaseFailure {
    pub(crate) fn by_load(path: &Path, digest: Option<Digest>, error: &LoadError) -> ReleaseFailure {
        ReleaseFailure {
            step: error.step().into(),
            path: path.to_owned(),
            digest,
            message: pointsman_rules::text::chain(error),
        }
    }

    pub(crate) fn by_tests(path: &Path, digest: Option<Digest>, error: &dyn fmt::Display) -> ReleaseFailure {
        ReleaseFailure { step: ReleaseStep::Test, path: path.to_owned(), digest, message: error.to_string() }
    }

    pub(crate) fn by_store(config: &TenantConfig, digest: Digest, error: &dyn fmt::Display) -> ReleaseFailure {
        let path = config.modules.first().map(|module| module.path.clone()).unwrap_or_default();
        ReleaseFailure { step: ReleaseStep::Save, path, digest: Some(digest), message: error.to_string() }
    }

    /// The tenant has no module at this position.
    pub(crate) fn no_position(config: &TenantConfig, position: usize) -> ReleaseFailure {
        let message = format!("the tenant has {} modules; none is at position {position}", config.modules.len());
        ReleaseFailure { step: ReleaseStep::Read, path: PathBuf::new(), digest: None, message }
    }
}

impl fmt::Display for ReleaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module `{}`: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for ReleaseFailure {}

impl From<LoadStep> for ReleaseStep {
    fn from(step: LoadStep) -> ReleaseStep {
        match step {
            LoadStep::Read => ReleaseStep::Read,
            LoadStep::Build => ReleaseStep::Build,
            LoadStep::Limits => ReleaseStep::Limits,
            LoadStep::Configure => ReleaseStep::Configure,
        }
    }
}
