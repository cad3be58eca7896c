//! The admin listener: metrics, and the API that shows and changes what serves. `docs/admin-api.json` describes it.

mod access;
mod answer;
mod handle;
mod routes;
mod views;

pub use access::Access;
pub use answer::{ApiError, Code};
pub use handle::Admin;
pub use routes::{Action, ROUTES, Route};
