//! Modules that change their own state, for tests that compare instances (feature `testing`).

use std::fmt::Write as _;

use crate::module::{LoadError, Symbols, componentize};

/// A step of such a module, from four bytes that may be any. Whether a decision takes it depends on the length of the
/// request's path.
#[derive(Debug, Clone, Copy)]
pub struct Step(pub [u8; 4]);

/// Bytes of the module's memory from which steps choose. It has two pages of 64 KiB; the first bytes hold the answer.
const FIRST: u32 = 4096;
const BYTES: u32 = 2 * 65_536 - FIRST - 256;

impl Step {
    /// Adds to `$sum` a value that a write or a growth in an earlier decision would have changed, and changes it.
    fn write(self, text: &mut String) {
        let Step([kind, bit, high, low]) = self;
        let at = FIRST + (u32::from(high) * 256 + u32::from(low)) * 2 % BYTES;
        let (seen, change) = match kind % 5 {
            0 | 1 => (
                format!("(i32.load8_u (i32.const {at}))"),
                format!("(i32.store8 (i32.const {at}) (i32.add (i32.load8_u (i32.const {at})) (i32.const 1)))"),
            ),
            2 => (
                format!("(i32.load8_u (i32.const {at}))"),
                format!("(memory.fill (i32.const {at}) (i32.const {low}) (i32.const {}))", u32::from(high) / 2 + 1),
            ),
            3 => (
                "(i32.wrap_i64 (global.get $kept))".to_owned(),
                "(global.set $kept (i64.add (global.get $kept) (i64.const 1)))".to_owned(),
            ),
            _ => ("(memory.size)".to_owned(), "(drop (memory.grow (i32.const 1)))".to_owned()),
        };
        // Writing to a `String` can't fail.
        let _ = write!(
            text,
            "(if (i32.and (i32.shr_u (local.get $length) (i32.const {})) (i32.const 1)) (then
               (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) {seen})) {change}))",
            bit % 4
        );
    }
}

/// A router whose answer, a status, is a function of the request's path as long as no decision sees the state that
/// another one left.
///
/// # Errors
/// None for any steps; a module that cannot be made is a defect of this function.
pub fn stateful_router(steps: &[Step]) -> Result<Vec<u8>, LoadError> {
    let mut body = String::new();
    steps.iter().for_each(|step| step.write(&mut body));
    let text = format!(
        r#"(module
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
        (memory (export "memory") 2)
        (data (i32.const 132) "\01")
        (global $kept (mut i64) (i64.const 7))
        (global $heap (mut i32) (i32.const 256))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
          (global.get $heap)
          (global.set $heap (i32.add (global.get $heap) (local.get 3))))
        (func (export "select-peer") (param i32) (result i32) (local $length i32) (local $sum i32)
          (call $path (local.get 0) (i32.const 64))
          (call $drop (local.get 0))
          (local.set $length (i32.load (i32.const 68)))
          (local.set $sum (i32.load (i32.const 64)))
          {body}
          (i32.store16 (i32.const 136) (i32.add (i32.const 200) (i32.rem_u (local.get $sum) (i32.const 300))))
          (i32.const 128)))"#
    );
    let core = wat::parse_str(text).map_err(|error| LoadError::Encode { message: error.to_string() })?;
    componentize(&core, None, Symbols::Drop)
}
