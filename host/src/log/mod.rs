//! Logging: diagnostics on standard error, and an access log with a line for each request.

mod access;
mod diagnostics;
mod explain;
mod sink;

pub use access::{Access, AccessLogError, AccessLogger, AttemptRecord, FailureRecord, FallbackRecord};
pub use diagnostics::{LogGuard, finish, start};
pub use explain::Explain;
