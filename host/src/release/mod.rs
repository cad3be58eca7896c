//! Releases: a new version of a tenant's modules is read, built, tested and saved, and serves only if it passed every
//! step. Candidates in shadow decide on a thread of their own.

mod difference;
mod manager;
mod module_tests;
mod publish;
mod restore;
mod saving;
mod shadow;
mod state_file;
mod store;
mod warm_up;

pub use manager::{OnDamage, ReleaseManager, Source};
pub use module_tests::{TestResult, TestedVersion, Tests, run_each, tests_beside};
pub use publish::{ReleaseOutcome, UploadOutcome};
pub use restore::LastServed;
pub use saving::NotSaved;
pub use shadow::{Shadow, ShadowJob};
pub use store::{Store, StoreError};
pub use warm_up::warm_up;
