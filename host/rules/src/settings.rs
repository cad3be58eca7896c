//! A module's own configuration, in the forms that the WIT interface `config` offers.

use serde_json::Value;

/// The `config` table of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleSettings {
    value: Value,
    json: String,
}

impl ModuleSettings {
    pub fn new(value: Value) -> ModuleSettings {
        let json = value.to_string();
        ModuleSettings { value, json }
    }

    /// The whole table as a JSON object.
    pub fn json(&self) -> &str {
        &self.json
    }

    pub fn whole(&self) -> &Value {
        &self.value
    }

    /// One value, by JSON Pointer (RFC 6901).
    pub fn value(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }
}
