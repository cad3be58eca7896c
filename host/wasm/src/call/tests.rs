//! Modules written in WAT, and requests for them to decide.

mod canaries;

use std::cell::Cell;
use std::time::Duration;

use pointsman_rewind::skip_without_rewinding;
use pointsman_rules::config::TenantLimits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::call::{InstanceOrigin, decide};
use crate::module::{Loader, Module, Symbols, componentize};
use crate::state::Call;
use crate::testing::{Step, stateful_router};

/// A module that lets the host write the request's path: address and length to `place`, the bytes to `heap`. `fields`
/// are fields of the core module, and `answer` is the end of `select-peer`.
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
    let component = componentize(&wat::parse_str(text).unwrap(), None, Symbols::Drop).unwrap();
    loader.load(&component, serde_json::Value::Null, &TenantLimits::default()).unwrap()
}

/// Calls `work` with a GET of this path.
pub fn with_call<T>(module: &Module, path: &str, work: impl FnOnce(Call<'_>) -> T) -> T {
    let inputs = Inputs::try_from(&WrittenRequest::get(&format!("http://a.test{path}"))).unwrap();
    let limits = TenantLimits::default();
    work(Call { inputs: &inputs, stores: None, limits: limits.of(module.class()) })
}

/// A module outlives its loader, and still every decision has an end.
#[test]
fn endless_loop_ends_and_is_named_after_its_loader_is_gone() {
    let loader = Loader::new(1, 0).unwrap();
    let text = r#"(module
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (memory (export "memory") 1)
        (func $table::lookup (loop (br 0)))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func $route (export "select-peer") (param i32) (result i32)
          (call $drop (local.get 0)) (call $table::lookup) unreachable))"#;
    let component = componentize(&wat::parse_str(text).unwrap(), None, Symbols::Keep).unwrap();
    let module = loader.load(&component, serde_json::Value::Null, &TenantLimits::default()).unwrap();
    drop(loader);
    let (answers, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (answer, _) = with_call(&module, "/", |call| decide(module.callee(), call));
        answers.send(answer.map_err(|error| error.to_string()).map(|_| ()))
    });
    let error = answer.recv_timeout(Duration::from_secs(30)).expect("it ends").expect_err("it has no answer");
    assert!(error.ends_with("(limits.decision_ms), in table::lookup < route"), "{error}");
}

/// Decisions of instances that are rewound equal those of fresh ones, for any writes, growth and globals. With enough
/// decisions in a row, pages are write-protected as well.
#[test]
fn rewound_decisions_equal_fresh_ones() {
    skip_without_rewinding!();
    let loader = Loader::new(1, 0).unwrap();
    let (mut runner, rewound) = (TestRunner::new(config()), Cell::new(0_usize));
    let steps = prop::collection::vec(any::<[u8; 4]>().prop_map(Step), 0..12);
    let lengths = prop::collection::vec(0_usize..16, 8);
    runner
        .run(&(steps, lengths), |(steps, lengths)| {
            let component = stateful_router(&steps).unwrap();
            let module = loader.load(&component, serde_json::Value::Null, &TenantLimits::default()).unwrap();
            let fresh = module.clone().without_rewinding();
            for length in lengths.iter().flat_map(|length| [*length; 12]) {
                let path = format!("/{}", "a".repeat(length));
                let (answer, report) = with_call(&module, &path, |call| decide(module.callee(), call));
                let (expected, _) = with_call(&fresh, &path, |call| decide(fresh.callee(), call));
                prop_assert_eq!(answer, expected);
                rewound.set(rewound.get() + usize::from(report.instance == InstanceOrigin::Rewound));
            }
            Ok(())
        })
        .unwrap();
    assert!(rewound.get() > 500, "only {} decisions were made by a rewound instance", rewound.get());
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() }
}
