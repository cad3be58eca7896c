//! Which version of its modules serves a tenant: how a new one is prepared, how it goes live, and how it goes back.
//!
//! A version never changes. What serves is one pointer that requests take once; everything here only ever replaces it,
//! and only by what has passed every step.

mod candidate;
mod history;
mod publish;
mod releases;
mod shadow;
mod store;
mod vectors;
mod version;

pub use candidate::{Candidate, CandidateReport, Difference};
pub use history::{Entry, FailedRelease, Standing};
pub use publish::{Prepared, Publisher, Refused, Step};
pub use releases::{CannotRollBack, NoCandidate, Releases, Serving};
pub use shadow::{Shadow, ShadowJob};
pub use store::{Store, StoreError};
pub use vectors::tests_beside;
pub use version::{Origin, Version};
