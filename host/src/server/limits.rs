//! The kernel's limits for this process, and how many clients fit into them.

use pointsman_rules::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of file descriptors of this process.
#[derive(Debug, Clone, Copy)]
pub struct Descriptors {
    /// None: only memory limits the number.
    limit: Option<u64>,
}

/// Descriptors that are never given to clients, so that the admin API, logs, builds and the runtime keep working when
/// clients have used up all others.
const RESERVE: u64 = 256;

/// Maximum number of connections where descriptors set no limit.
const MOST: usize = 1_000_000;

/// Raises the soft limit of file descriptors to the hard limit.
pub fn raise() -> Descriptors {
    let now = getrlimit(Resource::Nofile);
    if now.current == now.maximum {
        return Descriptors { limit: now.current };
    }
    match setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum }) {
        Ok(()) => Descriptors { limit: now.maximum },
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of file descriptors to the hard limit");
            Descriptors { limit: now.current }
        }
    }
}

impl Descriptors {
    /// Maximum number of client connections: each takes a descriptor, and usually another one for its upstream.
    pub fn connections(self, config: &Config) -> usize {
        let Some(limit) = self.limit else { return MOST };
        let idle = u64::try_from(config.proxy.idle_connections).unwrap_or(u64::MAX).min(limit / 4);
        let room = limit.saturating_sub(RESERVE).saturating_sub(idle) / 2;
        usize::try_from(room).unwrap_or(MOST).clamp(16, MOST)
    }
}
