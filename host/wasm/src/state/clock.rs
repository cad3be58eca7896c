//! The time that a decision sees.

use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_rules::reads::Read;

use crate::state::State;

impl State {
    /// Milliseconds since 1970, as they were at the decision's first read, or as a test gives them.
    pub fn read_clock(&mut self) -> wasmtime::Result<u64> {
        // Read once: a module that could time itself could learn what it shares a core with.
        let earliest = self.not_before_ms;
        let given = self.inputs.moment.as_ref().and_then(|moment| moment.now_ms);
        let now = *self.wall_ms.get_or_insert_with(|| given.unwrap_or_else(|| wall_ms().max(earliest)));
        self.note(Read::Now(now))?;
        Ok(now)
    }
}

/// Milliseconds since 1970; 0 if the clock is before that.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
