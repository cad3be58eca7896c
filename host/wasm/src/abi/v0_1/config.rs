//! The WIT interface `config`: the module's own configuration.

use pointsman_rules::reads::Read;
use serde_json::Value;

use crate::abi::v0_1::bindings::pointsman::router::config::Host;
use crate::state::State;

impl Host for State {
    fn json(&mut self) -> wasmtime::Result<String> {
        self.note(Read::ConfigJson)?;
        Ok(self.settings.json().to_owned())
    }

    fn get(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        let value = self.settings.value(&pointer).map(Value::to_string);
        self.note(Read::ConfigGet(pointer))?;
        Ok(value)
    }

    fn get_text(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        let value = self.settings.value(&pointer).and_then(Value::as_str).map(str::to_owned);
        self.note(Read::ConfigText(pointer))?;
        Ok(value)
    }
}
