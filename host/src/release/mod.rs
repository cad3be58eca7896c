//! Which version of its modules serves a tenant: how a new one is prepared, how it goes live, and how it goes back.
//!
//! A version never changes. What serves is one pointer that requests take once; everything here only ever replaces it,
//! and only by what has passed every step.

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
mod vectors;
mod version;
mod warm_up;

pub use candidate::{Candidate, CandidateReport, Difference, Judged, Trial};
pub use files::{Asked, Files};
pub use history::{Entry, FailedRelease, Standing};
pub use publish::{LastServed, NotKept, OnDamage, Publisher, Released, Source, Uploaded};
pub use refused::{Refused, Step};
pub use releases::{CannotRollBack, NoCandidate, Releases};
pub use serving::Serving;
pub use shadow::{Shadow, ShadowJob};
pub use store::{Kept, Store, StoreError};
pub use vectors::{Tests, tests_beside};
pub use version::{Origin, Version};
pub use warm_up::warm_up;
