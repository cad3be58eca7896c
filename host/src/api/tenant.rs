//! Tenants, and the version that serves each.

use pointsman_wasm::module::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{Candidate, Failure, VersionEntry};

/// All tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantList {
    /// In the order of their names.
    pub tenants: Vec<TenantSummary>,
}

/// A tenant in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantSummary {
    /// The name in the configuration.
    pub name: String,
    /// Number of the live version.
    pub live: u64,
    /// SHA-256 of each module's file, hexadecimal.
    #[schemars(with = "Vec<String>")]
    pub modules: Vec<Digest>,
    /// Number of the version on trial. null: there is none.
    pub candidate: Option<u64>,
    /// Whether new requests get 503 `tenant-drained`.
    pub drained: bool,
}

/// A tenant in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantDetails {
    /// The name in the configuration.
    pub name: String,
    /// Number of the live version.
    pub live: u64,
    /// SHA-256 of each module's file, hexadecimal.
    #[schemars(with = "Vec<String>")]
    pub modules: Vec<Digest>,
    /// The version on trial. null: there is none.
    pub candidate: Option<Candidate>,
    /// Whether new requests get 503 `tenant-drained`.
    pub drained: bool,
    /// Newest first.
    pub versions: Vec<VersionEntry>,
    /// Versions that were refused, newest first.
    pub failures: Vec<Failure>,
    /// The modules' files, as the configuration names them.
    pub paths: Vec<String>,
}

/// Whether a tenant takes new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DrainState {
    /// Whether new requests get 503 `tenant-drained`.
    pub drained: bool,
    /// Number of requests that have not ended yet.
    pub requests_in_flight: usize,
}
