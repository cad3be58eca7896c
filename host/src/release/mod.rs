//! Which version of its modules serves a tenant: how a new one is prepared, goes live and is rolled back.
//!
//! A version never changes. The serving version is one pointer, which each request loads once; this room only ever
//! replaces that pointer, and only with a version that passed every step.

mod candidate;
mod files;
mod history;
mod publish;
mod refused;
mod releases;
mod serving;
mod shadow;
mod state_file;
mod store;
mod module_tests;
mod version;
mod warm_up;

pub use candidate::{Candidate, Trial, TrialOutcome};
pub use files::{CheckTrigger, Files};
pub use history::{Entry, FailedRelease, VersionStatus};
pub use module_tests::{Tests, tests_beside};
pub use publish::{LastServed, NotKept, OnDamage, ReleaseManager, ReleaseOutcome, Source, Uploaded};
pub use refused::Refused;
pub use releases::{CannotRollBack, NoCandidate, VersionState};
pub use serving::Serving;
pub use shadow::{Shadow, ShadowJob};
pub use store::{SavedState, Store, StoreError};
pub use version::Version;
pub use warm_up::warm_up;
