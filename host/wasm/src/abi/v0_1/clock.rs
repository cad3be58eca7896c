//! The WIT interface `clock`.

use crate::abi::v0_1::bindings::pointsman::router::clock::Host;
use crate::state::State;

impl Host for State {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.read_clock()
    }
}
