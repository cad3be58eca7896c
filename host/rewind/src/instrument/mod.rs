//! Instruments a component, so that its instances can be put back to the state in which they began: it lets the host
//! see its memories, and gets a second `select-peer`, which can begin by restoring the globals, and returns the address
//! of the answer. `docs/design/rewinding.md` says what that is for, and why it is sound.

mod added;
mod exporting;
mod outline;
mod sections;

use wasm_encoder::Component;
use wasmparser::{BinaryReaderError, Validator};

use outline::Outline;

/// The export of a component that decides.
pub const DECIDES: &str = "select-peer";
/// The import through which an instance reports its memories when it starts.
pub const HOST: &str = "pointsman:host/rewind";
/// Its function that reports a memory: the first byte and the last one, each as a list; both empty if the memory has
/// none.
pub const MEMORY: &str = "memory";
/// The same for the memory that contains the answers.
pub const ANSWERS: &str = "answers";
/// The added export that decides: with the globals of the start, if the second parameter says so. It returns the
/// address of the answer, which stays there until the next decision.
pub const SELECT_PEER: &str = "pointsman-select-peer";
/// The added export that returns the answer of the last decision.
pub const READ_ANSWER: &str = "pointsman-said";

/// Why a component is left unchanged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRewindable {
    #[error("its form is unknown: {0}")]
    Form(&'static str),
    #[error("its code {0}, which is not undone")]
    Does(&'static str),
    /// The only obstacle: a snapshot that is made after its start functions ran can be rewound.
    #[error("it has a start function, which may leave another state in each instance")]
    Starts,
    #[error("it can't be read: {0}")]
    Unreadable(String),
}

impl From<BinaryReaderError> for NotRewindable {
    fn from(error: BinaryReaderError) -> NotRewindable {
        NotRewindable::Unreadable(error.to_string())
    }
}

/// Adds to a component the imports and exports that rewinding needs, if all of its state can be put back.
pub fn instrument(component: &[u8]) -> Result<Vec<u8>, NotRewindable> {
    let mut outline = Outline::default();
    let mut encoder = Component::new();
    outline.copy(component, &mut encoder)?;
    sections::add(&outline, &mut encoder)?;
    let bytes = encoder.finish();
    // This refuses, among others, a component that has these names already.
    Validator::new().validate_all(&bytes)?;
    // Last of all, so that this is the reason only if there is no other.
    match outline.live().any(|(module, _)| module.starts) {
        true => Err(NotRewindable::Starts),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::added::ANSWERS_MEMORY;
    use super::*;

    fn of(text: &str) -> Result<Vec<u8>, NotRewindable> {
        instrument(&wat::parse_str(text).expect("a component"))
    }

    #[test]
    fn state_of_every_core_module_is_reached() {
        let text = r#"(component
            (core module $one (memory (export "memory") 2) (global (mut i32) (i32.const 7))
              (func (export "f") (param i32) (result i32) (local.get 0)))
            (core module $two (import "one" "memory" (memory 1)) (global (mut v128) (v128.const i64x2 1 2))
              (global i32 (i32.const 1)) (memory 0))
            (core instance $one (instantiate $one))
            (core instance (instantiate $two (with "one" (instance $one))))
            (func (export "select-peer") (param "request" u32) (result u32) (canon lift (core func $one "f"))))"#;
        let printed = of(text).expect("a component");
        let count = |what: &[u8]| printed.windows(what.len()).filter(|window| *window == what).count();
        // Exported by one core module, imported by the other, and aliased where it is a memory.
        assert_eq!(count(b"pointsman:memory:0"), 6);
        assert_eq!(count(b"pointsman:global:0"), 4);
        assert_eq!(count(b"pointsman:global:1"), 0);
    }

    /// The host reads texts in UTF-8.
    #[test]
    fn answers_are_read_where_their_texts_are_utf_8() {
        let read = |options: &str| {
            let text = format!(
                r#"(component
                (core module $m (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (i32.const 8)))
                (core instance $m (instantiate $m))
                (func (export "select-peer") (param "request" u32) (result string)
                  (canon lift (core func $m "f") (memory $m "memory") {options})))"#
            );
            let component = of(&text).expect("a component");
            component.windows(ANSWERS_MEMORY.len()).any(|window| window == ANSWERS_MEMORY.as_bytes())
        };
        assert!(read("") && read("string-encoding=utf8"));
        assert!(!read("string-encoding=utf16") && !read("string-encoding=latin1+utf16"));
    }

    #[track_caller]
    fn cannot_be_rewound(text: &str, because: &str) {
        let error = of(text).expect_err("it cannot be rewound").to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn instructions_that_cannot_be_undone_are_left_as_they_are() {
        let router = |other: &str| {
            format!(
                "(component (core module $m (func (export \"f\") (param i32) (result i32) (local.get 0))) \
                 (core instance $m (instantiate $m)) \
                 (func (export \"select-peer\") (param \"request\" u32) (result u32) (canon lift (core func $m \"f\"))) \
                 {other})"
            )
        };
        let code = |code: &str| {
            router(&format!("(core module (table 1 funcref) (elem $e func) (memory 1) (data $d \"\") (func {code}))"))
        };
        cannot_be_rewound(&code("(table.set (i32.const 0) (ref.null func))"), "table");
        cannot_be_rewound(&code("(drop (table.grow (ref.null func) (i32.const 0)))"), "table");
        cannot_be_rewound(&code("(table.fill (i32.const 0) (ref.null func) (i32.const 0))"), "table");
        cannot_be_rewound(&code("(table.copy (i32.const 0) (i32.const 0) (i32.const 0))"), "table");
        cannot_be_rewound(&code("(table.init $e (i32.const 0) (i32.const 0) (i32.const 0))"), "table");
        cannot_be_rewound(&code("data.drop $d"), "segment");
        cannot_be_rewound(&code("elem.drop $e"), "segment");
        cannot_be_rewound("(component (core module (global (mut funcref) (ref.null func))))", "reference");
        cannot_be_rewound("(component (type (resource (rep i32))))", "resource");
        cannot_be_rewound("(component (component (type (resource (rep i32)))))", "resource");
        cannot_be_rewound("(component (component (core module)))", "within");
        let outer = "(component (core module $m) (component (alias outer 1 $m (core module $n)) \
                     (core instance (instantiate $n))))";
        cannot_be_rewound(outer, "within");
        cannot_be_rewound(
            "(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))",
            "more than one",
        );
        cannot_be_rewound("(component)", "`select-peer`");
        cannot_be_rewound(&router(&format!("(import \"{HOST}\" (instance))")), HOST);
        assert!(of(&code("(i32.store (i32.const 0) (i32.const 1))")).is_ok());
    }

    #[test]
    fn start_function_is_the_last_reason() {
        let router = |fields: &str, other: &str| {
            of(&format!(
                r#"(component
                (core module $m (func (export "f") (param i32) (result i32) (local.get 0)) {fields})
                (core instance $m (instantiate $m))
                (func (export "select-peer") (param "request" u32) (result u32) (canon lift (core func $m "f")))
                {other})"#
            ))
        };
        let starts = "(func $start) (start $start)";
        assert_eq!(router(starts, ""), Err(NotRewindable::Starts));
        let drops = format!("{starts} (data $d \"\") (func data.drop $d)");
        assert_eq!(router(&drops, ""), Err(NotRewindable::Does("drops a segment")));
        assert!(matches!(router(starts, "(type (resource (rep i32)))"), Err(NotRewindable::Form(_))));
        assert!(
            router("", &format!("(core module {starts})")).is_ok(),
            "a core module without an instance never starts"
        );
    }
}
