//! Modules that are refused at load, each with its own message.

use pointsman_rules::config::{Limits, TenantLimits};
use pointsman_rules::request::WrittenRequest;
use pointsman_tests::Wat;
use pointsman_wasm::module::{Loader, Moment, Rewinding, WarmUp, inspect_bytes};

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    check_within(bytes, &TenantLimits::default(), expected);
}

#[track_caller]
fn check_within(bytes: &[u8], limits: &TenantLimits, expected: &str) {
    let loader = Loader::new(1, 0).expect("a loader");
    let refused =
        loader.load(bytes, serde_json::json!({}), limits).map(|_| "loaded").map_err(|error| error.to_string());
    match refused {
        Ok(loaded) => panic!("{loaded}, instead of: {expected}"),
        Err(message) => assert!(message.contains(expected), "{message}"),
    }
}

fn passing() -> Wat {
    Wat::select_peer("(i32.const 64)")
}

/// The component of a world that is not, or not only, the router's.
fn of_world(wit: &str, world: &'static str, core: &str) -> Vec<u8> {
    Wat::core(core).world(wit, world).bytes()
}

#[test]
fn component_and_typed_core_module_are_loaded() {
    let loader = Loader::new(1, 0).expect("a loader");
    for bytes in [passing().bytes(), passing().component()] {
        let loaded = loader.load(&bytes, serde_json::json!({}), &TenantLimits::default());
        assert!(loaded.is_ok(), "{loaded:?}");
    }
}

#[test]
fn empty_file() {
    check(b"", "does not start with `\\0asm`");
}

/// Found by fuzzing: one digit of a version, and the world's package depends on itself.
#[test]
fn packages_in_a_cycle() {
    const NAME: &[u8] = b"pointsman:router/request@0.1.0";
    let whole = Wat::select_peer("(i32.const 64)").bytes();
    let found = whole.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let at: Vec<usize> = found.map(|(at, _)| at).collect();
    let loader = Loader::new(1, 0).expect("a loader");
    let mut cycles = 0;
    for at in at {
        let mut bytes = whole.clone();
        bytes[at + NAME.len() - 5] = b'1';
        let loaded = loader.load(&bytes, serde_json::json!({}), &TenantLimits::default());
        let message = loaded.expect_err("an unsupported version").to_string();
        cycles += usize::from(message.contains("in a cycle (`pointsman:router@0.1.0`, `pointsman:router@1.1.0`)"));
    }
    assert!(cycles > 0);
}

#[test]
fn text_file() {
    check(b"(module)", "not a WebAssembly file");
}

#[test]
fn truncated_file() {
    let bytes = passing().component();
    check(&bytes[..bytes.len() / 2], "is the file complete?");
}

#[test]
fn every_truncation_and_many_corruptions_end_in_a_message() {
    let loader = Loader::new(1, 0).expect("a loader");
    let whole = passing().component();
    for length in 0..whole.len() {
        let loaded = loader.load(&whole[..length], serde_json::json!({}), &TenantLimits::default());
        // Custom sections (their id is 0) are at the end, and nothing depends on them.
        assert!(loaded.is_err() || whole[length] == 0, "the first {length} bytes of {}", whole.len());
    }
    for position in (0..whole.len()).step_by(7) {
        let mut corrupt = whole.clone();
        corrupt[position] ^= 0x55;
        // Some corruptions do no harm, such as those in names without a meaning.
        if let Err(error) = loader.load(&corrupt, serde_json::json!({}), &TenantLimits::default()) {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn core_module_without_a_type() {
    check(&passing().core_bytes(), "without a component type");
}

#[test]
fn core_module_that_imports_wasi() {
    let module = Wat::core(
        r#"
        (import "wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (func (export "select-peer") (param i32) (result i32) (i32.const 64))"#,
    );
    check(&module.bytes(), "`wasi_unstable`");
}

#[test]
fn component_that_imports_wasi() {
    let component = wat::parse_str(r#"(component (import "wasi:http/types@0.2.0" (instance)))"#).expect("WAT");
    check(&component, "it imports `wasi:http/types@0.2.0`");
}

#[test]
fn unknown_import() {
    let component = wat::parse_str(r#"(component (import "acme:db/store@1.0.0" (instance)))"#).expect("WAT");
    check(&component, "`acme:db/store@1.0.0`, which this host does not offer");
}

/// Authors cannot import the interface that is added to components so that their instances can be rewound.
#[test]
fn import_of_a_name_reserved_for_rewinding() {
    let wit = "package pointsman:host; interface rewind { memory: func(start: list<u8>, pages: u32); }
        world other { include pointsman:router/router@0.1.0; import rewind; }";
    let core = r#"
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:host/rewind" "memory" (func $memory (param i32 i32 i32)))
        (func (export "select-peer") (param i32) (result i32)
          (call $drop (local.get 0)) (call $memory (i32.const 0) (i32.const 1) (i32.const 9)) (i32.const 64))"#;
    let module = of_world(wit, "pointsman:host/other", core);
    check(&module, "`pointsman:host/rewind`, which this host does not offer");
    let warm_up = WarmUp { requests: vec![WrittenRequest::get("http://a.test/")], moment: Moment::MayStay };
    let loader = Loader::new(1, 0).expect("a loader");
    let refused = loader.load_warm(&module, serde_json::json!({}), &TenantLimits::default(), Some(&warm_up));
    let error = refused.map(|_| ()).expect_err("it is refused").to_string();
    assert!(error.contains("`pointsman:host/rewind`, which this host does not offer"), "{error}");
}

#[test]
fn unknown_version() {
    let component = wat::parse_str(r#"(component (import "pointsman:router/types@0.9.0" (instance)))"#).expect("WAT");
    check(&component, "built against `pointsman:router@0.9.0`; this host supports `pointsman:router@0.1.0`");
}

#[test]
fn more_core_instances_than_allowed() {
    // The module, and two that its encoding adds.
    let module = Wat::core(
        r#"
        (import "pointsman:router/config@0.1.0" "json" (func $json (param i32)))
        (func (export "select-peer") (param i32) (result i32) (call $json (i32.const 1024)) (i32.const 64))"#,
    );
    let limits = Limits { instances: 2, ..Limits::default() }.into();
    let expected = "it needs 3 core instances; 2 are allowed (raise the tenant's `limits.instances`)";
    check_within(&module.bytes(), &limits, expected);
}

#[test]
fn missing_export() {
    let wit = "package test:other; world other { export run: func(); }";
    check(&of_world(wit, "test:other/other", r#"(func (export "run"))"#), "does not export `select-peer`");
}

#[test]
fn export_of_another_type() {
    let wit = "package test:other; world other { export select-peer: func() -> u32; }";
    let core = r#"(func (export "select-peer") (result i32) (i32.const 1))"#;
    check(&of_world(wit, "test:other/other", core), "other types than the world");
}

#[test]
fn initial_memory_beyond_the_limit() {
    let limits = Limits { memory_bytes: 1024 * 1024, ..Limits::default() }.into();
    check_within(&passing().pages(17).bytes(), &limits, "raise the tenant's `limits.memory_mib`");
}

#[test]
fn initial_table_beyond_the_limit() {
    let module = Wat::core(
        r#"(table 5000 funcref)
           (func (export "select-peer") (param i32) (result i32) (i32.const 64))"#,
    );
    let limits = Limits { table_elements: 1000, ..Limits::default() }.into();
    check_within(&module.bytes(), &limits, "raise the tenant's `limits.table_elements`");
}

#[test]
fn unneeded_wasm_proposals() {
    let shared = wat::parse_str(r#"(component (core module (memory 1 1 shared)))"#).expect("WAT");
    check(&shared, "cannot be compiled");
    let large = wat::parse_str(r#"(component (core module (memory i64 1)))"#).expect("WAT");
    check(&large, "cannot be compiled");
}

#[test]
fn inspection_shows_the_original_module_and_whether_it_can_be_rewound() {
    let loader = Loader::new(1, 0).expect("a loader");
    let inspected = |wat: &Wat| inspect_bytes(&loader, &wat.bytes(), &TenantLimits::default());
    let usual = inspected(&Wat::answering(200));
    let imports = ["types", "request"].map(|interface| format!("pointsman:router/{interface}@0.1.0"));
    let own = (&imports.to_vec(), &vec!["select-peer".to_owned()]);
    assert_eq!((&usual.imports, &usual.exports), own);
    assert_eq!(usual.rewinding, Some(Rewinding::Possible));
    let body = "(table.set (i32.const 0) (ref.null func)) (i32.const 128)";
    let of_a_table = inspected(&Wat::select_peer(body).with("(table 1 funcref)"));
    assert_eq!((&of_a_table.imports, &of_a_table.exports), own);
    let reason = "its code changes a table, which is not undone".to_owned();
    assert_eq!(of_a_table.rewinding, Some(Rewinding::Impossible { reason }));
}

/// Without the configuration of a tenant, only an obstacle in the module's form is certain.
#[test]
fn inspection_of_a_module_that_wants_a_configuration_does_not_guess() {
    let loader = Loader::new(1, 0).expect("a loader");
    let inspected = |fields: &str, body: &str| {
        let declines = Wat::core(&format!(
            r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
            {fields}
            (func (export "configure") (param i32 i32) (result i32) (i32.const 96))
            (func (export "select-peer") (param i32) (result i32) (call $drop (local.get 0)) {body} (i32.const 128))"#
        ));
        let module = declines.world("", "pointsman:router/configured-router").bytes();
        let inspection = inspect_bytes(&loader, &module, &TenantLimits::default());
        assert_eq!(inspection.refused, None);
        inspection.rewinding
    };
    for start in ["", "(func $start) (start $start)"] {
        let found = inspected(start, "");
        assert!(
            matches!(&found, Some(Rewinding::Unknown { reason }) if reason.contains("`config` table")),
            "{found:?}"
        );
    }
    let found = inspected("(table 1 funcref)", "(table.set (i32.const 0) (ref.null func))");
    let is_certain = |reason: &str| reason.contains("is called in each instance") && reason.contains("`table.set`");
    assert!(matches!(&found, Some(Rewinding::Impossible { reason }) if is_certain(reason)), "{found:?}");
}
