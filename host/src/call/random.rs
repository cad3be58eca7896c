//! The WIT interface `random`.

use crate::bindings::pointsman::router::random::Host;
use crate::call::State;
use crate::call::reads::Read;

impl Host for State {
    fn get_u64(&mut self) -> wasmtime::Result<u64> {
        let value = rand::random();
        self.note(Read::Random(value))?;
        Ok(value)
    }
}
