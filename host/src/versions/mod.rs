//! The versions of a tenant's modules: the live one, the one on trial, and the earlier ones.
//!
//! A version never changes. The serving version is one pointer, which each request loads once; `version_state` only
//! ever replaces that pointer. How a version is prepared, checked and saved is `release`'s job.

mod candidate;
mod files;
mod history;
mod release_failure;
mod saved_state;
mod serving;
mod version;
mod version_state;

pub use candidate::{Candidate, Trial, TrialOutcome};
pub use files::{CheckTrigger, FileChange, Files};
pub use history::{Entry, FailedRelease, VersionStatus};
pub use release_failure::ReleaseFailure;
pub use saved_state::SavedState;
pub use serving::Serving;
pub use version::Version;
pub use version_state::{CannotRollBack, NoCandidate, VersionState};
