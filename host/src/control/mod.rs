//! The state that can be changed while a proxy serves, and the operations that change it: the configuration, which
//! SIGHUP and the admin API reload, and the versions of the tenants' modules. `server` assembles it; `admin` and the
//! signals use it.

mod admin_token;
mod changes;
mod error;
mod reload;
mod reloadable_files;
mod running;
mod tenants;

pub use admin_token::ServedToken;
pub use changes::{FailedReload, ReloadError};
pub use error::{PrepareError, lines};
pub use reloadable_files::ReloadableFiles;
pub use running::{ChangesFrozen, Changing, Control, ControlParts, NoTenant, Routes};
pub use tenants::{kept_instances, load, own_addresses};
