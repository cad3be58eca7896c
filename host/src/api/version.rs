//! Versions of a tenant's modules: their history, and the trial of a new one.

use pointsman_rules::config::Stage;
use pointsman_wasm::module::Digest;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Timestamp;

/// All modules of a tenant, which serve together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Its number: starts at 1 for each tenant and counts up.
    pub version: u64,
    /// SHA-256 of each module's file, hexadecimal.
    #[schemars(with = "Vec<String>")]
    pub modules: Vec<Digest>,
    /// Where it came from.
    pub origin: Origin,
    /// When it was made.
    pub made: Timestamp,
}

/// Where a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Origin {
    /// The files, when the proxy started.
    Start,
    /// The configuration, when it was reloaded.
    Config,
    /// A module file that changed.
    File,
    /// The admin API.
    Upload,
}

impl Origin {
    /// Its name in JSON and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Start => "start",
            Origin::Config => "config",
            Origin::File => "file",
            Origin::Upload => "upload",
        }
    }
}

/// A version and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionEntry {
    #[serde(flatten)]
    pub version: Version,
    /// Its state, and the reason where there is one.
    pub state: State,
    /// When the state began.
    pub since: Timestamp,
}

/// The state of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It serves.
    Live,
    /// It is on trial.
    Candidate,
    /// It served without being rolled back; a newer one serves now.
    Replaced,
    /// It was rolled back.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// A candidate that never served all clients.
    Aborted {
        /// Why.
        reason: String,
    },
}

/// A version that was just uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewVersion {
    #[serde(flatten)]
    pub version: Version,
    /// Where it begins.
    #[schemars(schema_with = "stage")]
    pub stage: Stage,
    /// Percentage of the clients. null: it is no canary.
    pub percent: Option<u32>,
    /// Number of tests that were run.
    pub tests: usize,
}

/// The result of a module's way through every step without a release. A module that does not pass is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    /// Always true.
    #[schemars(extend("const" = true))]
    pub valid: bool,
    /// SHA-256 of each file of the version, hexadecimal.
    #[schemars(with = "Vec<String>")]
    pub modules: Vec<Digest>,
    /// Number of tests that were run.
    pub tests: usize,
}

/// The result of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promotion {
    /// The stage of the version that was promoted.
    #[schemars(schema_with = "stage")]
    pub stage: Stage,
    /// Percentage of the clients. null: it is no canary.
    pub percent: Option<u32>,
    /// Number of the live version.
    pub live: u64,
}

/// A version on trial, and the progress of the trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Number of the version.
    pub version: u64,
    /// Where the trial is.
    #[schemars(schema_with = "stage")]
    pub stage: Stage,
    /// Percentage of the clients. null: it is no canary.
    pub percent: Option<u32>,
    /// In shadow: identical decisions. As a canary: usable decisions.
    pub agreements: u64,
    /// As a canary: requests on which it refused to decide, or passed.
    pub declined: u64,
    /// In shadow: requests that it decided differently.
    pub differences: u64,
    /// Decisions that failed: a trap, a spent budget, a refused record.
    pub failures: u64,
    /// Requests that it did not decide, because it was still busy or its tenant had no time left.
    pub skipped: u64,
    /// The most recent differences.
    pub examples: Vec<Difference>,
}

/// A request that two versions decided differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The request's method.
    pub method: String,
    /// The request's authority.
    pub authority: String,
    /// The request's path, without its query.
    pub path: String,
    /// The decision of the live version, as `pointsman decide` prints it.
    pub live: Value,
    /// The decision of the candidate.
    pub candidate: Value,
}

/// The schema of a [`Stage`].
fn stage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Stage::ALL.map(|(name, _)| name)})
}
