//! New versions and configurations that were refused.

use pointsman_wasm::module::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{Origin, Timestamp};

/// The last versions of any tenant, and the last configurations, that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureList {
    /// Newest first.
    pub failures: Vec<Failure>,
}

/// A new version, or a configuration as a whole, that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// When it was refused.
    pub at: Timestamp,
    /// The tenant's name. null: the configuration was refused as a whole.
    pub tenant: Option<String>,
    /// Where the version came from. null: the configuration was refused as a whole.
    pub origin: Option<Origin>,
    /// The step at which it was refused. `config`: the configuration as a whole.
    pub step: ReleaseStep,
    /// The module's file, as the configuration names it. null: the configuration was refused as a whole.
    pub path: Option<String>,
    /// SHA-256 of the module's file, hexadecimal. null: no file was read.
    #[schemars(with = "Option<String>")]
    pub sha256: Option<Digest>,
    /// Why it was refused.
    pub message: String,
}

/// A step between reading a module's file and serving it; `config`: reading the configuration as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ReleaseStep {
    Read,
    Build,
    Limits,
    Configure,
    Test,
    Save,
    Config,
}

impl ReleaseStep {
    /// Its name in JSON and in logs.
    pub fn name(self) -> &'static str {
        match self {
            ReleaseStep::Read => "read",
            ReleaseStep::Build => "build",
            ReleaseStep::Limits => "limits",
            ReleaseStep::Configure => "configure",
            ReleaseStep::Test => "test",
            ReleaseStep::Save => "save",
            ReleaseStep::Config => "config",
        }
    }
}
