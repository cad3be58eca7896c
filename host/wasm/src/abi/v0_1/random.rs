//! The WIT interface `random`.

use crate::abi::v0_1::bindings::pointsman::router::random::Host;
use crate::state::State;

impl Host for State {
    fn get_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_number()
    }
}
