//! The WIT interface `random`.

use pointsman_rules::reads::Read;

use crate::abi::v0_1::bindings::pointsman::router::random::Host;
use crate::state::State;

impl Host for State {
    fn get_u64(&mut self) -> wasmtime::Result<u64> {
        let value = rand::random();
        self.note(Read::Random(value))?;
        Ok(value)
    }
}
