//! A new version that does not go live: at which step, and why.

use std::fmt;
use std::path::{Path, PathBuf};

use pointsman_rules::config::TenantConfig;
use pointsman_wasm::module::{Digest, LoadError, LoadStep};

use crate::api::Step;

/// A new version that failed a step.
#[derive(Debug)]
pub struct Refused {
    pub step: Step,
    /// The module's file, as the configuration names it.
    pub path: PathBuf,
    pub digest: Option<Digest>,
    message: String,
}

impl Refused {
    pub(crate) fn by_load(path: &Path, digest: Option<Digest>, error: &LoadError) -> Refused {
        Refused {
            step: error.step().into(),
            path: path.to_owned(),
            digest,
            message: pointsman_rules::text::chain(error),
        }
    }

    pub(crate) fn by_tests(path: &Path, digest: Option<Digest>, error: &dyn fmt::Display) -> Refused {
        Refused { step: Step::Test, path: path.to_owned(), digest, message: error.to_string() }
    }

    pub(crate) fn by_store(config: &TenantConfig, digest: Digest, error: &dyn fmt::Display) -> Refused {
        let path = config.modules.first().map(|module| module.path.clone()).unwrap_or_default();
        Refused { step: Step::Keep, path, digest: Some(digest), message: error.to_string() }
    }

    /// The tenant has no module at this position.
    pub(crate) fn no_position(config: &TenantConfig, position: usize) -> Refused {
        let message = format!("the tenant has {} modules; none is at position {position}", config.modules.len());
        Refused { step: Step::Read, path: PathBuf::new(), digest: None, message }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module `{}`: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for Refused {}

impl From<LoadStep> for Step {
    fn from(step: LoadStep) -> Step {
        match step {
            LoadStep::Read => Step::Read,
            LoadStep::Build => Step::Build,
            LoadStep::Limits => Step::Limits,
            LoadStep::Configure => Step::Configure,
        }
    }
}
