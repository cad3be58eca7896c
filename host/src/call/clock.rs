//! The WIT interface `clock`: the time at which the decision began.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::pointsman::router::clock::Host;
use crate::call::State;
use crate::call::reads::Read;

impl Host for State {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.read_clock()
    }
}

impl State {
    /// Milliseconds since 1970, as they were when the decision asked first.
    pub(super) fn read_clock(&mut self) -> wasmtime::Result<u64> {
        // Asked once: a module that could time itself could learn what it shares a core with.
        let earliest = self.not_before_ms;
        let now = *self.wall_ms.get_or_insert_with(|| wall_ms().max(earliest));
        self.note(Read::Now(now))?;
        Ok(now)
    }
}

/// A clock before 1970 is at 1970.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
