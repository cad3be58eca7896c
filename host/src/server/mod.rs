//! Assembles the rooms and keeps them running: engine, modules, tenants, listeners, and a shutdown that waits for
//! requests in flight.
//!
//! Pingora's own `Server` sleeps through a fixed grace period before it exits, installs its own signal handlers and may
//! exit the process. This one drives Pingora's services itself, so that a shutdown ends as soon as the last request
//! does, and so that a test can run a whole proxy inside its own process.

mod doors;
mod error;
mod limits;
mod listen;
mod preflight;
mod prepared;
mod running;
mod signals;
mod start;
mod upgrade;
mod watch;

pub use error::StartError;
pub use listen::Listening;
pub use prepared::check_files;
pub use running::{Server, ShutdownOutcome};
pub use signals::{Order, Quit, Signals};
pub use start::{Launch, start};
pub use upgrade::{HandOver, UpgradeError, end as end_predecessor};
