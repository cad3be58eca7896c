//! Modules with a start function: C and C++ initialize their libraries in one, AssemblyScript its globals.

use std::sync::Arc;
use std::time::Duration;

use pointsman_rules::config::{Limits, Quota, TenantLimits};
use pointsman_rules::contract::Decision;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::stores::Stores;
use pointsman_tests::Wat;
use pointsman_wasm::call::{CallReport, InstanceOrigin, decide};
use pointsman_wasm::module::{Loader, Module, Moment, Rewinding, WarmUp, Warmth};
use pointsman_wasm::state::Call;

/// A router that initializes itself with this body, as a module for WASI does: it exports `_initialize`, and a core
/// module of its own has the start function, which calls that. Each decision runs `extra`, answers with the status that
/// is at 2048, or 200, and changes that.
fn starting(imports: &str, start: &str, extra: &str) -> Wat {
    starting_by("(export \"_initialize\" (func $start))", imports, start, extra)
}

fn starting_by(declaration: &str, imports: &str, start: &str, extra: &str) -> Wat {
    Wat::core(&format!(
        r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        {imports}
        (global $kept (mut i64) (i64.const 0))
        (func $start {start})
        {declaration}
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request))
          (if (i32.load (i32.const 2048)) (then (i32.store16 (i32.const 136) (i32.load (i32.const 2048)))))
          {extra}
          (i32.store (i32.const 2048) (i32.const 599))
          (i32.const 128))"#
    ))
}

fn load(module: &[u8]) -> Module {
    let loader = Loader::new(1, 0).expect("a loader");
    loader.load(module, serde_json::json!({"a": "b"}), &TenantLimits::default()).expect("the module")
}

/// The status that a decision answers, or its error, and the report.
fn answer(module: &Module) -> (Result<u16, String>, CallReport) {
    let inputs = Inputs::try_from(&WrittenRequest::get("http://shop.test/")).expect("a request");
    // A debug build on a busy machine is slow; what exceeds a budget here never ends.
    let limits = Limits { decision: Duration::from_millis(200), ..Limits::default() };
    let stores = Arc::new(Stores::empty(&Quota::default()));
    let (answer, report) = decide(module.callee(), Call { inputs: &inputs, stores: Some(&stores), limits: &limits });
    let status = answer.map_err(|error| error.to_string()).map(|decision| match decision {
        Decision::Respond(response) => response.status,
        other => panic!("{other:?}"),
    });
    (status, report)
}

/// The module decides from a snapshot: each decision begins with the state that the start function left, and most of
/// them in an instance that was rewound.
#[track_caller]
fn is_rewound(module: &Wat, status: u16) {
    let module = load(&module.bytes());
    assert_eq!(*module.rewinding(), Rewinding::Possible);
    let instances = [(); 4].map(|()| {
        let (answer, report) = answer(&module);
        assert_eq!(answer, Ok(status));
        assert!(report.reads.list().is_empty() && report.lines.is_empty());
        report.instance
    });
    let rewound = match wasmtime::PoolingAllocationConfig::is_pagemap_scan_available() {
        true => InstanceOrigin::Rewound,
        false => InstanceOrigin::New,
    };
    assert_eq!(instances, [InstanceOrigin::New, InstanceOrigin::New, rewound, rewound]);
}

/// The start function runs in each instance, and the reason is known.
#[track_caller]
fn is_not_rewound(module: &Wat, because: &str) -> Module {
    let module = load(&module.bytes());
    match module.rewinding() {
        Rewinding::Impossible { reason } => assert!(reason.contains(because), "{reason}"),
        other => panic!("{other:?}"),
    }
    module
}

const STATUS: &str = "(i32.store (i32.const 2048) (i32.const 234))";

#[test]
fn state_of_a_start_function_is_in_each_decision() {
    is_rewound(&starting("", STATUS, ""), 234);
    // As AssemblyScript has it.
    is_rewound(&starting_by("(start $start)", "", STATUS, ""), 234);
}

#[test]
fn globals_and_memory_that_a_start_function_grew_are_in_each_decision() {
    let start = "(global.set $kept (i64.const 7))
        (i32.store16
          (i32.add (i32.mul (memory.grow (i32.const 2)) (i32.const 65536)) (i32.const 65600)) (i32.const 230))";
    let extra = "(if (i32.ne (memory.size) (i32.const 3)) (then unreachable))
        (i32.store16 (i32.const 136)
          (i32.add (i32.load16_u (i32.const 131136)) (i32.wrap_i64 (global.get $kept))))
        (global.set $kept (i64.const 99)) (i32.store16 (i32.const 131136) (i32.const 500))";
    is_rewound(&starting("", start, extra), 237);
    let module = load(&starting("", start, extra).bytes());
    assert_eq!(module.needs().memory_bytes, 3 * 65_536, "what it grew counts towards the tenant's limit");
}

/// WASI's environment is empty for every module, so asking for it leaves the same state each time.
#[test]
fn start_function_may_ask_for_the_empty_environment() {
    let imports =
        r#"(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))"#;
    let start = format!(
        "(if (call $environ (i32.const 3000) (i32.const 3004)) (then unreachable))
         (if (i32.load (i32.const 3000)) (then unreachable)) {STATUS}"
    );
    // Wasmtime's adapter takes a page for itself.
    is_rewound(&starting(imports, &start, "").pages(3), 234);
}

#[test]
fn start_function_that_reads_runs_in_each_instance() {
    let clock = r#"(import "pointsman:router/clock@0.1.0" "now-ms" (func $now (result i64)))"#;
    let module = is_not_rewound(
        &starting(clock, &format!("(drop (call $now)) {STATUS}"), ""),
        "a start function reads `pointsman:router/clock@0.1.0`",
    );
    let (status, report) = answer(&module);
    assert_eq!((status, report.reads.list().len(), report.instance), (Ok(234), 1, InstanceOrigin::New));

    let random = r#"(import "pointsman:router/random@0.1.0" "get-u64" (func $random (result i64)))"#;
    let module = is_not_rewound(
        &starting(random, &format!("(global.set $kept (call $random)) {STATUS}"), ""),
        "a start function reads `pointsman:router/random@0.1.0`",
    );
    let seeds = [(); 2].map(|()| answer(&module).1.reads.list().to_vec());
    assert_ne!(seeds[0], seeds[1], "each decision has a value of its own");

    let wasi = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))"#;
    let both = "(drop (call $random (i32.const 3000) (i32.const 8)))
        (drop (call $now (i32.const 0) (i64.const 1) (i32.const 3008)))";
    let module = starting(wasi, both, "").pages(3);
    is_not_rewound(&module, "a start function reads `wasi:random/random@0.2.");
    is_not_rewound(&module, " and `wasi:clocks/");

    let config = r#"(import "pointsman:router/config@0.1.0" "json" (func $json (param i32)))"#;
    is_not_rewound(
        &starting(config, "(call $json (i32.const 3000))", ""),
        "a start function reads `pointsman:router/config@0.1.0`",
    );
    let shared = r#"(import "pointsman:router/shared@0.1.0" "delete" (func $delete (param i32 i32)))"#;
    let module = is_not_rewound(
        &starting(shared, &format!("(call $delete (i32.const 512) (i32.const 4)) {STATUS}"), ""),
        "a start function calls `shared.delete`",
    );
    assert_eq!(answer(&module).0, Ok(234));
}

#[test]
fn start_function_that_logs_logs_in_each_decision() {
    let log = r#"(import "pointsman:router/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let start = format!("(call $log (i32.const 2) (i32.const 512) (i32.const 4)) {STATUS}");
    let module = is_not_rewound(&starting(log, &start, ""), "a start function writes to the log");
    for _ in 0..3 {
        let (status, report) = answer(&module);
        assert_eq!((status, report.lines.len()), (Ok(234), 1));
    }
}

/// A handle is an index into a table of the host, which a snapshot does not contain.
#[test]
fn start_function_that_takes_a_handle_runs_in_each_instance() {
    let wit = "package t:t; world w { include pointsman:router/router@0.1.0; import wasi:cli/stdout@0.2.0; }
        package wasi:io@0.2.0 { interface streams { resource output-stream; } }
        package wasi:cli@0.2.0 {
          interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }
        }";
    let stdout = r#"(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $close (param i32)))"#;
    let module = starting(stdout, &format!("(call $close (call $stdout)) {STATUS}"), "").world(wit, "t:t/w");
    let module = is_not_rewound(&module, "a start function takes a resource handle");
    assert_eq!(answer(&module).0, Ok(234));
}

#[test]
fn start_function_that_fails_fails_each_decision() {
    let module = is_not_rewound(&starting("", "unreachable", ""), "a start function fails: the module trapped");
    for _ in 0..2 {
        assert!(answer(&module).0.is_err_and(|error| error.contains("unreachable")));
    }
    let module = is_not_rewound(&starting("", "(loop $again (br $again))", ""), "more than 2000 ms of CPU time");
    assert!(answer(&module).0.is_err_and(|error| error.contains("limits.decision_ms")));
}

/// Whether growth succeeds depends on the tenant's limits, and tenants share what is built.
#[test]
fn start_function_that_reaches_a_limit_runs_in_each_instance() {
    let start = format!("(if (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)) (then {STATUS}))");
    let module = starting("", &start, "");
    assert_eq!(
        answer(&is_not_rewound(&module, "more memory, or larger tables, than a module has by default")).0,
        Ok(200)
    );
}

#[test]
fn start_function_is_no_obstacle_if_there_are_others() {
    let table = starting("", STATUS, "(table.set (i32.const 0) (ref.null func))").with("(table 1 funcref)");
    is_not_rewound(&table, "its code changes a table");
    // Wizer keeps no such global.
    is_not_rewound(&starting("", STATUS, "").with("(global (mut v128) (v128.const i64x2 1 2))"), "v128");
}

/// The state is that of the module, whoever its tenants are: one with less memory than it needs does not get it.
#[test]
fn tenants_share_the_state_that_a_start_function_leaves() {
    let loader = Loader::new(1, 0).expect("a loader");
    let module = starting("", &format!("(drop (memory.grow (i32.const 31))) {STATUS}"), "").bytes();
    let of = |memory_bytes: usize| {
        let limits = Limits { memory_bytes, ..Limits::default() };
        loader.load(&module, serde_json::json!({"for": memory_bytes}), &limits.into())
    };
    assert_eq!(answer(&of(32 << 16).expect("the module")).0, Ok(234));
    let refused = of(31 << 16).expect_err("the module does not fit").to_string();
    assert!(refused.contains("2097152 bytes of memory at its start") && refused.contains("memory_mib"), "{refused}");
}

/// A warm snapshot is made from that of the start function.
#[test]
fn module_with_a_start_function_starts_warm() {
    let loader = Loader::new(1, 0).expect("a loader");
    let warm_up = WarmUp { requests: vec![WrittenRequest::get("http://shop.test/")], moment: Moment::MustNot };
    let once = "(if (i64.eqz (global.get $kept)) (then (global.set $kept (i64.const 1))))";
    // Without the line that changes the next answer.
    let module = Wat::core(&format!(
        r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (global $kept (mut i64) (i64.const 0))
        (func $start (if (i32.load (i32.const 2048)) (then unreachable)) {STATUS})
        (start $start)
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request)) {once}
          (i32.store16 (i32.const 136) (i32.load (i32.const 2048))) (i32.const 128))"#
    ));
    let limits = TenantLimits::default();
    let module = loader.load_warm(&module.bytes(), serde_json::json!({}), &limits, Some(&warm_up)).expect("the module");
    assert!(matches!(module.warmth(), Warmth::Warm { requests: 1 }), "{:?}", module.warmth());
    assert_eq!(*module.rewinding(), Rewinding::Possible);
    assert_eq!(answer(&module).0, Ok(234));
}
