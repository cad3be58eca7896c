//! The admin listener: metrics, and the API that shows and changes a running proxy. `docs/admin-api.json` describes it,
//! made by `describe.rs`.

mod access;
mod answer;
mod describe;
mod handle;
mod host;
mod routes;
mod views;
mod wrong_tokens;

pub use access::{Access, Caller};
pub use answer::ApiError;
pub use handle::{Admin, refusal};
pub use routes::{Action, ROUTES, Route};
