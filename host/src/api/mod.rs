//! The bodies of the admin API's answers: plain data, which the proxy writes and `pointsman admin` reads.
//!
//! Comments on public items are the descriptions in `docs/admin-api.json`. A field is always there; `null` says that it
//! does not apply. Only [`ErrorDetails`] leaves such fields out.

mod error;
mod failure;
mod reload;
mod tenant;
mod timestamp;
mod version;

pub use error::{Code, Error, ErrorDetails};
pub use failure::{Failure, FailureList, ReleaseStep};
pub use reload::{Changes, RefusedFiles};
pub use tenant::{DrainState, TenantDetails, TenantList, TenantSummary};
pub use timestamp::Timestamp;
pub use version::{Candidate, Difference, NewVersion, Origin, Promotion, State, Validation, Version, VersionEntry};
