//! The thread's configuration and log.

use std::cell::RefCell;

use serde_json::Value;

use crate::log::Level;

thread_local! {
    static CONFIG: RefCell<Value> = RefCell::new(Value::Object(serde_json::Map::new()));
    static LOG: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Sets the content of [`config`](crate::config), in this thread: a JSON object. `{}` until then.
///
/// # Panics
///
/// If it is no JSON object.
#[track_caller]
pub fn config(json: &str) {
    match serde_json::from_str(json) {
        Ok(table @ Value::Object(_)) => CONFIG.set(table),
        Ok(_) => panic!("testing::config: a module's configuration is a JSON object, not `{json}`"),
        Err(error) => panic!("testing::config: `{json}` is no JSON: {error}"),
    }
}

/// The lines logged in this thread since the last call.
pub fn log_lines() -> Vec<(Level, String)> {
    LOG.take()
}

pub(crate) fn log(level: Level, message: String) {
    LOG.with_borrow_mut(|lines| lines.push((level, message)));
}

/// The host's `config` interface.
pub(crate) mod table {
    use super::{CONFIG, Value};

    pub fn json() -> String {
        CONFIG.with_borrow(Value::to_string)
    }

    pub fn get(pointer: &str) -> Option<String> {
        CONFIG.with_borrow(|table| table.pointer(pointer).map(Value::to_string))
    }

    pub fn get_text(pointer: &str) -> Option<String> {
        CONFIG.with_borrow(|table| table.pointer(pointer).and_then(Value::as_str).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "is no JSON")]
    fn configuration_that_is_not_json_is_a_panic() {
        super::config("{");
    }

    #[test]
    #[should_panic(expected = "not `[]`")]
    fn configuration_that_is_not_an_object_is_a_panic() {
        super::config("[]");
    }
}
