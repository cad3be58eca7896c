//! WASI as an empty world, for modules whose toolchain imports it. The older WASI (`wasi_snapshot_preview1`) goes
//! through the adapter that the host adds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use pointsman_rules::config::{Limits, TenantLimits};
use pointsman_rules::contract;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::reads::Read;
use pointsman_rules::request::{Arrival, RequestHead};
use pointsman_rules::stores::{SharedStore, Stores, Upstreams};
use pointsman_tests::{Proxy, Tenant, Wat};
use pointsman_wasm::call::{CallError, CallReport, decide};
use pointsman_wasm::module::Loader;
use pointsman_wasm::state::Call;
use pointsman_wasm::wasi::ExitStatus;

fn limits() -> Limits {
    // The machine of a test may be busy.
    Limits { decision: Duration::from_secs(5), ..Limits::default() }
}

/// The result of a decision.
fn run(module: &[u8], limits: &Limits) -> (Result<contract::Decision, CallError>, CallReport) {
    let loader = Loader::new(1, 0).expect("a loader");
    let module = loader.load(module, serde_json::json!({}), &TenantLimits::from(limits.clone())).expect("a module");
    let head = Arc::new(RequestHead::new(Arrival {
        method: Method::GET,
        target: b"/".to_vec(),
        authority: "shop.example".to_owned(),
        headers: HeaderMap::new(),
        client_ip: None,
        listener: "web".into(),
        tls: None,
    }));
    let (shared, upstreams) = (Arc::new(SharedStore::new(1_000)), Arc::new(Upstreams::new(10, Instant::now())));
    let stores = Arc::new(Stores { shared, upstreams, groups: Vec::new() });
    decide(module.callee(), Call { inputs: &Inputs::first(head), stores: Some(&stores), limits })
}

fn lines(decided: &CallReport) -> Vec<String> {
    decided.lines.iter().map(|line| format!("{:?} {}", line.level, line.message).replace("Level::", "")).collect()
}

/// A core module that imports these functions of the older WASI. An expression `(call $is ...)` compares two numbers
/// and traps where they differ; `$print` writes bytes to a descriptor.
fn preview1(imports: &[(&str, &str)], body: &str) -> Vec<u8> {
    core(imports, body).bytes()
}

fn core(imports: &[(&str, &str)], body: &str) -> Wat {
    let mut fields = String::new();
    for (name, parameters) in [("fd_write", "i32 i32 i32 i32")].iter().chain(imports) {
        let result = if *name == "proc_exit" { "" } else { "(result i32)" };
        fields +=
            &format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {parameters}) {result}))\n");
    }
    Wat::core(&format!(
        r#"{fields}
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
        (func $print (param $fd i32) (param $at i32) (param $length i32)
          (i32.store (i32.const 1024) (local.get $at))
          (i32.store (i32.const 1028) (local.get $length))
          (call $is (call $fd_write (local.get $fd) (i32.const 1024) (i32.const 1) (i32.const 1032)) (i32.const 0))
          (call $is (i32.load (i32.const 1032)) (local.get $length)))
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request))
          {body}
          (i32.const 64))"#
    ))
    // The adapter allocates its own memory from the module's.
    .pages(8)
}

#[track_caller]
fn passes(module: &[u8]) -> CallReport {
    let (answer, decided) = run(module, &limits());
    assert!(matches!(answer, Ok(contract::Decision::Pass)), "{answer:?} {decided:?}");
    decided
}

#[test]
fn standard_output_and_error_are_lines_of_the_log() {
    let body = r#"
        (call $print (i32.const 1) (i32.const 1100) (i32.const 8))
        (call $print (i32.const 2) (i32.const 1110) (i32.const 5))
        (call $print (i32.const 1) (i32.const 1120) (i32.const 5))"#;
    let module = core(&[], body);
    let fields = "(data (i32.const 1100) \"one\\ntwo,\") (data (i32.const 1110) \"bad\\r\\n\") (data (i32.const 1120) \" \\ff\\n2 \")";
    let decided = passes(&module.with(fields).bytes());
    assert_eq!(lines(&decided), ["Info one", "Warn bad", "Info two, \u{fffd}", "Info 2 "]);
    assert!(decided.reads.list().is_empty());
}

#[test]
fn there_is_no_environment_no_argument_and_no_file() {
    let imports = [
        ("environ_sizes_get", "i32 i32"),
        ("args_sizes_get", "i32 i32"),
        ("fd_prestat_get", "i32 i32"),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        ("fd_read", "i32 i32 i32 i32"),
    ];
    let body = r#"
        (i32.store (i32.const 1040) (i32.const 9)) (i32.store (i32.const 1048) (i32.const 9))
        (call $is (call $environ_sizes_get (i32.const 1040) (i32.const 1044)) (i32.const 0))
        (call $is (i32.load (i32.const 1040)) (i32.const 0))
        (call $is (call $args_sizes_get (i32.const 1048) (i32.const 1052)) (i32.const 0))
        (call $is (i32.load (i32.const 1048)) (i32.const 0))
        ;; 8 is `badf`: no folder is open.
        (call $is (call $fd_prestat_get (i32.const 3) (i32.const 1040)) (i32.const 8))
        (call $is
          (call $path_open (i32.const 3) (i32.const 0) (i32.const 512) (i32.const 4) (i32.const 0) (i64.const 2)
            (i64.const 0) (i32.const 0) (i32.const 1040))
          (i32.const 8))
        ;; Standard input is at its end.
        (i32.store (i32.const 1056) (i32.const 2048)) (i32.store (i32.const 1060) (i32.const 16))
        (call $is (call $fd_read (i32.const 0) (i32.const 1056) (i32.const 1) (i32.const 1064)) (i32.const 0))
        (call $is (i32.load (i32.const 1064)) (i32.const 0))"#;
    assert!(passes(&preview1(&imports, body)).reads.list().is_empty());
}

#[test]
fn clocks_do_not_advance_and_reads_are_recorded() {
    let body = r#"
        (call $is (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 1040)) (i32.const 0))
        (loop $again
          (global.set $at (i32.add (global.get $at) (i32.const 1)))
          (br_if $again (i32.lt_u (global.get $at) (i32.const 3000000))))
        (call $is (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 1048)) (i32.const 0))
        (if (i64.ne (i64.load (i32.const 1040)) (i64.load (i32.const 1048))) (then unreachable))
        ;; Later than 2026-01-01.
        (if (i64.lt_u (i64.load (i32.const 1040)) (i64.const 1767225600000000000)) (then unreachable))"#;
    let decided = passes(&preview1(&[("clock_time_get", "i32 i64 i32")], body));
    assert!(matches!(decided.reads.list(), [Read::Now(_)]), "{:?}", decided.reads);
}

/// Prints the bytes that it received: they follow from the recorded seed, which no other decision has.
#[test]
fn random_bytes_are_recorded_by_their_seed() {
    let body = r#"
        (call $is (call $random_get (i32.const 1040) (i32.const 8)) (i32.const 0))
        (call $is (call $random_get (i32.const 1048) (i32.const 8)) (i32.const 0))
        (if (i64.eq (i64.load (i32.const 1040)) (i64.load (i32.const 1048))) (then unreachable))"#;
    let module = preview1(&[("random_get", "i32 i32")], body);
    let seeds: Vec<[u8; 32]> = (0..2)
        .map(|_| match passes(&module).reads.list() {
            [Read::RandomSeed(seed)] => *seed,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_ne!(seeds[0], seeds[1]);
}

#[test]
fn waiting_returns_at_once() {
    let body = r#"
        (call $is (call $sched_yield) (i32.const 0))
        ;; A subscription to the monotonic clock: an hour from now.
        (i32.store8 (i32.const 1048) (i32.const 0))
        (i32.store (i32.const 1056) (i32.const 1))
        (i64.store (i32.const 1064) (i64.const 3600000000000))
        (call $is (call $poll_oneoff (i32.const 1040) (i32.const 1200) (i32.const 1) (i32.const 1300)) (i32.const 0))
        (call $is (i32.load (i32.const 1300)) (i32.const 1))"#;
    let decided = passes(&preview1(&[("sched_yield", ""), ("poll_oneoff", "i32 i32 i32 i32")], body));
    assert!(decided.elapsed < Duration::from_secs(5), "{decided:?}");
}

#[test]
fn exit_is_its_own_error() {
    let module = preview1(
        &[("proc_exit", "i32")],
        "(call $print (i32.const 2) (i32.const 512) (i32.const 4)) (call $proc_exit (i32.const 3)) unreachable",
    );
    let (answer, decided) = run(&module, &limits());
    assert!(matches!(answer, Err(CallError::Exit { status: ExitStatus::Failure, .. })), "{answer:?}");
    assert_eq!(lines(&decided), ["Warn oops"]);
}

/// The part of WASI 0.2 that a test imports.
fn wasi(imports: &str) -> String {
    format!(
        r#"package test:wasi;
        package wasi:random@0.2.0 {{
          interface random {{ get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }}
        }}
        package wasi:random@0.2.7 {{
          interface random {{ get-random-u64: func() -> u64; }}
          interface insecure-seed {{ insecure-seed: func() -> tuple<u64, u64>; }}
        }}
        package wasi:random@0.2.8 {{ interface random {{ get-random-u64: func() -> string; }} }}
        package wasi:io@0.2.0 {{
          interface poll {{
            resource pollable {{ ready: func() -> bool; block: func(); }}
            poll: func(in: list<borrow<pollable>>) -> list<u32>;
          }}
        }}
        package wasi:clocks@0.2.0 {{
          interface monotonic-clock {{
            use wasi:io/poll@0.2.0.{{pollable}};
            now: func() -> u64;
            subscribe-duration: func(when: u64) -> pollable;
          }}
        }}
        package wasi:sockets@0.2.0 {{
          interface network {{
            resource network;
            enum error-code {{ unknown, access-denied, not-supported }}
            enum ip-address-family {{ ipv4, ipv6 }}
          }}
          interface instance-network {{ use network.{{network}}; instance-network: func() -> network; }}
          interface tcp {{ resource tcp-socket {{ hop-limit: func() -> u8; }} }}
          interface tcp-create-socket {{
            use network.{{error-code, ip-address-family}};
            use tcp.{{tcp-socket}};
            create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
          }}
          interface ip-name-lookup {{
            use network.{{network, error-code}};
            resource resolve-address-stream;
            resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
          }}
        }}
        package wasi:http@0.2.0 {{ interface types {{ get: func() -> u32; }} }}
        package wasi:cli@0.3.0 {{ interface stdout {{ get: func() -> u32; }} }}
        world module {{
          include pointsman:router/router@0.1.0;
          {imports}
        }}"#
    )
}

/// A module that imports parts of WASI 0.2 without the adapter.
fn preview2(world: &str, fields: &str, body: &str) -> Vec<u8> {
    Wat::core(&format!(
        r#"{fields}
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request))
          {body}
          (i32.const 64))"#
    ))
    .world(&wasi(world), "module")
    .bytes()
}

const SOCKETS: &str = "import wasi:sockets/instance-network@0.2.0; import wasi:sockets/tcp-create-socket@0.2.0; \
                       import wasi:sockets/ip-name-lookup@0.2.0;";

#[test]
fn sockets_and_names_are_denied() {
    let fields = r#"
        (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $socket (param i32 i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))"#;
    let body = r#"
        (call $socket (i32.const 0) (i32.const 1040))
        (call $is (i32.load8_u (i32.const 1040)) (i32.const 1))
        (call $is (i32.load8_u (i32.const 1044)) (i32.const 1))
        ;; Lends a handle, which is given back.
        (call $resolve (call $network) (i32.const 512) (i32.const 4) (i32.const 1040))
        (call $is (i32.load8_u (i32.const 1040)) (i32.const 1))
        (call $is (i32.load8_u (i32.const 1044)) (i32.const 1))"#;
    passes(&preview2(SOCKETS, fields, body));
}

#[test]
fn two_versions_of_a_package_side_by_side() {
    let world =
        "import wasi:random/random@0.2.0; import wasi:random/random@0.2.7; import wasi:random/insecure-seed@0.2.7;";
    let fields = r#"
        (import "wasi:random/random@0.2.0" "get-random-u64" (func $one (result i64)))
        (import "wasi:random/random@0.2.7" "get-random-u64" (func $two (result i64)))
        (import "wasi:random/insecure-seed@0.2.7" "insecure-seed" (func $seed (param i32)))"#;
    let body = "(if (i64.eq (call $one) (call $two)) (then unreachable)) (call $seed (i32.const 1040))";
    let decided = passes(&preview2(world, fields, body));
    assert!(matches!(decided.reads.list(), [Read::RandomSeed(_)]), "{:?}", decided.reads);
}

#[track_caller]
fn refused(module: &[u8], parts: [&str; 2]) {
    let loader = Loader::new(1, 0).expect("a loader");
    let error = loader.load(module, serde_json::json!({}), &TenantLimits::default()).expect_err("refused").to_string();
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn unsupported_wasi_import_is_refused_by_name_with_a_remedy() {
    let http = preview2(
        "import wasi:http/types@0.2.0;",
        r#"(import "wasi:http/types@0.2.0" "get" (func $get (result i32)))"#,
        "(drop (call $get))",
    );
    refused(&http, ["it imports `wasi:http/types@0.2.0`: the only WASI for modules is 0.2 of io", "disableFeatures"]);
    let newer = preview2(
        "import wasi:cli/stdout@0.3.0;",
        r#"(import "wasi:cli/stdout@0.3.0" "get" (func $get (result i32)))"#,
        "(drop (call $get))",
    );
    refused(&newer, ["it imports `wasi:cli/stdout@0.3.0`", "build for WASI 0.2"]);
    let older =
        Wat::select_peer("(i32.const 64)").with("(import \"wasi_unstable\" \"sched_yield\" (func (result i32)))");
    refused(&older.bytes(), ["other than `wasi_snapshot_preview1` (`wasi_unstable`)", "newer toolchain"]);
    let unknown = preview1(&[("fd_teleport", "i32")], "");
    refused(&unknown, ["cannot be converted to a component", "fd_teleport"]);
}

#[test]
fn wasi_with_other_types_is_refused() {
    let fields = r#"(import "wasi:random/random@0.2.8" "get-random-u64" (func $get (param i32)))"#;
    let module = preview2("import wasi:random/random@0.2.8;", fields, "(call $get (i32.const 1040))");
    refused(&module, ["other types", "wasi:random/random@0.2.8"]);
}

#[test]
fn output_flood_is_bounded_by_the_log_and_the_call_limit() {
    let flood = "(loop $again (call $print (i32.const 1) (i32.const 2048) (i32.const 60000)) (br $again))";
    let (answer, decided) = run(&preview1(&[], flood), &limits());
    assert!(matches!(answer, Err(CallError::HostCalls { .. })), "{answer:?}");
    assert!(decided.log_cut && lines(&decided).len() <= 2, "{:?}", lines(&decided));

    // Only line ends.
    let fill = "(memory.fill (i32.const 100000) (i32.const 10) (i32.const 60000))";
    let flood =
        format!("{fill} (loop $again (call $print (i32.const 2) (i32.const 100000) (i32.const 60000)) (br $again))");
    let (answer, decided) = run(&preview1(&[], &flood), &limits());
    assert!(matches!(answer, Err(CallError::HostCalls { .. })), "{answer:?}");
    assert!(decided.log_cut && decided.lines.len() <= 129, "{}", decided.lines.len());
}

#[test]
fn output_is_discarded_with_a_log_limit_of_zero() {
    let body = "(call $print (i32.const 1) (i32.const 512) (i32.const 4))";
    let (answer, decided) = run(&preview1(&[], body), &Limits { log_bytes: 0, ..limits() });
    assert!(answer.is_ok() && decided.lines.is_empty() && decided.log_cut, "{answer:?}");
}

#[test]
fn huge_random_request_is_refused() {
    let fields = r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $get (param i64 i32)))"#;
    let world = "import wasi:random/random@0.2.0;";
    let module = preview2(world, fields, "(call $get (i64.const 0xffffffffffff) (i32.const 1040))");
    let (answer, _) = run(&module, &limits());
    let Err(CallError::Trap { cause: message, .. }) = answer else { panic!("{answer:?}") };
    assert!(message.contains("returns 65536 bytes at most, and 281474976710655 were requested"), "{message}");
}

const CLOCK: &str = "import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;";
const POLL: &str = r#"
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.ready" (func $ready (param i32) (result i32)))
    (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))"#;

#[test]
fn polls_return_at_once_and_are_bounded() {
    let body = r#"
        (i32.store (i32.const 1040) (call $sleep (i64.const -1)))
        (i32.store (i32.const 1044) (call $sleep (i64.const 1000000000)))
        (call $block (i32.load (i32.const 1040)))
        (call $is (call $ready (i32.load (i32.const 1040))) (i32.const 1))
        (call $poll (i32.const 1040) (i32.const 2) (i32.const 1048))
        (call $is (i32.load (i32.const 1052)) (i32.const 2))"#;
    passes(&preview2(CLOCK, POLL, body));
    let endless = format!("{body} (loop $again (call $block (i32.load (i32.const 1040))) (br $again))");
    assert!(matches!(run(&preview2(CLOCK, POLL, &endless), &limits()).0, Err(CallError::HostCalls { .. })));
    let hoard = "(loop $again (drop (call $sleep (i64.const 1))) (br $again))";
    assert!(matches!(run(&preview2(CLOCK, POLL, hoard), &limits()).0, Err(CallError::Handles { .. })));
    let nothing = "(call $poll (i32.const 1040) (i32.const 0) (i32.const 1048))";
    let answer = run(&preview2(CLOCK, POLL, nothing), &limits()).0;
    assert!(matches!(&answer, Err(CallError::Trap { cause, .. }) if cause.contains("of nothing")), "{answer:?}");
}

/// With a handle open, or with the adapter, no snapshot can be made; `configure` is called in each instance.
#[test]
fn output_of_configure_is_logged() {
    let body = "(call $print (i32.const 1) (i32.const 512) (i32.const 4))";
    let configure = r#"(func (export "configure") (param i32 i32) (result i32)
        (call $print (i32.const 2) (i32.const 512) (i32.const 4)) (i32.const 1400))"#;
    let module = core(&[], body).with(configure).world("", "pointsman:router/configured-router");
    assert_eq!(lines(&passes(&module.bytes())), ["Warn oops", "Info oops"]);
}

#[tokio::test]
async fn exit_of_a_module_has_its_own_error_code() {
    let exits = core(&[("proc_exit", "i32")], "(call $proc_exit (i32.const 0)) unreachable").file();
    let proxy = Proxy::with(Tenant::new("shop").module(exits.path(), "")).start().await;
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code()), (500, Some("module-exit")));
}
