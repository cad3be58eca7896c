//! The WIT interface `log`.

use crate::abi::v0_1::bindings::pointsman::router::log::{Host, Level};
use crate::state::State;

impl Host for State {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.count_call()?;
        self.lines.push(level.into(), &message);
        Ok(())
    }
}
