//! The admin listener: metrics, and the API that shows and changes a running proxy. `docs/admin-api.json` describes it.

mod access;
mod answer;
mod handle;
mod host;
mod routes;
mod views;
mod wrong_tokens;

pub use access::{Access, Caller};
pub use answer::{ApiError, Code};
pub use handle::{Admin, refusal};
pub use routes::{Action, ROUTES, Route};
