//! Modules written by hand, and what they are asked.

use std::sync::Arc;

use pointsman_rules::config::TenantLimits;
use pointsman_rules::request::WrittenRequest;

use crate::module::{Loader, Module, componentize};
use crate::state::Call;

/// A module that has its path written, as address and length, to `place`; the bytes go to `heap`. `fields` stand in the
/// core module, and `answer` comes last in `select-peer`.
pub fn router(loader: &Loader, place: u32, heap: u32, fields: &str, answer: &str) -> Module {
    let text = format!(
        r#"(module
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
        (memory (export "memory") 1)
        {fields}
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const {heap}))
        (func (export "select-peer") (param i32) (result i32)
          (call $path (local.get 0) (i32.const {place}))
          (call $drop (local.get 0))
          {answer}))"#
    );
    let component = componentize(&wat::parse_str(text).unwrap(), None).unwrap();
    loader.load(&component, serde_json::Value::Null, &TenantLimits::default()).unwrap()
}

/// Asks about a GET of this path.
pub fn asking<T>(module: &Module, path: &str, ask: impl FnOnce(Call<'_>) -> T) -> T {
    let head = WrittenRequest::get(&format!("http://a.test{path}")).head().unwrap();
    let limits = TenantLimits::default();
    ask(Call { head: &Arc::new(head), attempts: &Arc::from([]), stores: None, limits: limits.of(module.class()) })
}
