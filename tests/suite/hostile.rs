//! Modules that misbehave. Each ends in its own error, and the proxy serves the next request.

use pointsman_tests::{Proxy, Tenant, Upstream, Wat, example};

/// A hostile tenant next to a good one: each request to the hostile one fails with `status` and `code`, and the good
/// one is served in between.
async fn check(module: Wat, status: u16, code: &str) {
    check_with_memory(4, module, status, code).await;
}

async fn check_with_memory(mebibytes: u32, module: Wat, status: u16, code: &str) {
    let live = Upstream::answering("live").start().await;
    let file = module.file();
    let proxy = Proxy::with(Tenant::new("hostile").module(file.path(), "").table(&format!(
        "[tenant.limits]\ndecision_ms = 20\nmemory_mib = {mebibytes}\nhost_call_bytes = 65536\nhost_calls = 50\n\
             handles = 100\ntable_elements = 1000"
    )))
    .and(Tenant::new("good").module(example("failover"), &format!("upstreams = [\"{}\"]", live.address())))
    .start()
    .await;

    for turn in 0..3 {
        let reply = proxy.get("http://hostile.test/").await;
        let cause = proxy.log(2 * turn + 1).await[2 * turn]["error"]["cause"].to_string();
        assert_eq!((reply.status, reply.code()), (status, Some(code)), "{cause}");
        let reply = proxy.get("http://good.test/").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "live"));
    }
}

#[tokio::test]
async fn endless_loop_ends_at_its_budget() {
    check(Wat::select_peer("(loop $again (br $again)) unreachable"), 500, "module-budget").await;
}

#[tokio::test]
async fn endless_loop_in_a_start_function_ends_at_its_budget() {
    let module = Wat::core(
        r#"(func $start (loop $again (br $again)))
           (start $start)
           (func (export "select-peer") (param i32) (result i32) (i32.const 64))"#,
    );
    check(module, 500, "module-budget").await;
}

#[tokio::test]
async fn endless_calls_to_the_host_end_at_their_limit() {
    let module = Wat::core(
        r#"
        (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
        (func (export "select-peer") (param $request i32) (result i32)
          (loop $again
            (global.set $heap (i32.const 4096))
            (call $path (local.get $request) (i32.const 2048))
            (br $again))
          unreachable)"#,
    );
    check(module, 500, "module-host-calls").await;
}

#[tokio::test]
async fn trap_is_reported_as_a_trap() {
    check(Wat::select_peer("unreachable"), 500, "module-trap").await;
}

#[tokio::test]
async fn out_of_bounds_access_is_a_trap() {
    check(Wat::select_peer("(i32.load (i32.const -4))"), 500, "module-trap").await;
}

#[tokio::test]
async fn answer_outside_the_memory_is_a_trap() {
    check(Wat::select_peer("(i32.const 0x7ffffff0)"), 500, "module-trap").await;
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let module = Wat::select_peer(
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
    );
    check(module, 500, "module-memory").await;
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let module = Wat::core(
        r#"(table $table 1 funcref)
           (func (export "select-peer") (param i32) (result i32)
             (loop $again
               (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 100)) (i32.const -1))))
             unreachable)"#,
    );
    check(module, 500, "module-table").await;
}

#[tokio::test]
async fn deep_recursion_ends_at_the_stack() {
    let module = Wat::core(
        r#"(func $deeper (param i32) (result i32)
             (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))
           (func (export "select-peer") (param i32) (result i32) (call $deeper (i32.const 0)))"#,
    );
    check(module, 500, "module-stack").await;
}

/// An error text of 100 MiB, of which only 64 KiB may be passed to the host.
#[tokio::test]
async fn huge_string_is_refused() {
    let module = Wat::select_peer(
        "(i32.store (i32.const 1024) (i32.const 1))
         (i32.store (i32.const 1028) (i32.const 0))
         (i32.store (i32.const 1032) (i32.const 104857600))
         (i32.const 1024)",
    )
    .pages(1700);
    check_with_memory(128, module, 500, "module-host-call").await;
}

/// A response with 30,000 headers, all of whose names and values are the same 4 KiB: some 240 MB for the host to copy.
#[tokio::test]
async fn buffer_aliased_in_a_list_is_refused() {
    let module = Wat::select_peer(
        "(memory.fill (i32.const 4096) (i32.const 97) (i32.const 4096))
         (global.set $at (i32.const 16384))
         (loop $again
           (i32.store (global.get $at) (i32.const 4096))
           (i32.store offset=4 (global.get $at) (i32.const 4096))
           (i32.store offset=8 (global.get $at) (i32.const 4096))
           (i32.store offset=12 (global.get $at) (i32.const 4096))
           (global.set $at (i32.add (global.get $at) (i32.const 16)))
           (br_if $again (i32.lt_u (global.get $at) (i32.const 496384))))
         (i32.store (i32.const 140) (i32.const 16384))
         (i32.store (i32.const 144) (i32.const 30000))
         (i32.const 128)",
    )
    .pages(10);
    check(module, 500, "module-host-call").await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_a_trap() {
    let module = Wat::select_peer("(i32.store8 (i32.const 512) (i32.const 255)) (i32.const 96)");
    check(module, 500, "module-trap").await;
}

/// The error's text is at 512 once its address has been written: 0x200.
#[tokio::test]
async fn refusal_to_decide_is_reported_as_such() {
    check(Wat::select_peer("(i32.const 96)"), 500, "module-declined").await;
}

/// A module that defines a resource and creates handles of it without end.
#[tokio::test]
async fn leaked_handles_end_at_their_limit() {
    let module = Wat::core(
        r#"
        (import "[export]test:leak/pool" "[resource-new]thing" (func $new (param i32) (result i32)))
        (func (export "test:leak/pool#[constructor]thing") (result i32) (i32.const 0))
        (func (export "select-peer") (param i32) (result i32)
          (loop $again (drop (call $new (i32.const 0))) (br $again))
          unreachable)"#,
    )
    .world(
        "package test:leak;
         interface pool { resource thing { constructor(); } }
         world leaky { include pointsman:router/router@0.1.0; export pool; }",
        "test:leak/leaky",
    );
    check(module, 500, "module-handles").await;
}

#[tokio::test]
async fn module_that_passes_yields_no_decision() {
    check(Wat::select_peer("(i32.const 64)"), 503, "no-decision").await;
}

/// 10,000 log lines: lines beyond the limit are dropped, and the decision is valid.
#[tokio::test]
async fn log_flood_is_bounded() {
    let module = Wat::core(
        r#"
        (import "pointsman:router/log@0.1.0" "log" (func $log (param i32 i32 i32)))
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (func (export "select-peer") (param $request i32) (result i32)
          (local $left i32)
          (call $drop (local.get $request))
          (local.set $left (i32.const 10000))
          (loop $again
            (call $log (i32.const 4) (i32.const 512) (i32.const 4))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
          (i32.const 128))"#,
    );
    let file = module.file();
    // In a debug build, 10,000 calls take about as long as a decision may by default.
    let limits = "[tenant.limits]\ndecision_ms = 1_000\n";
    let proxy = Proxy::with(Tenant::new("chatty").module(file.path(), limits)).start().await;
    assert_eq!(proxy.get("http://chatty.test/").await.status, 200);
}

/// Values that a module writes to its memory are gone after the decision.
#[tokio::test]
async fn no_state_survives_a_decision() {
    // The first call of an instance finds 0 at 2048 and passes; a second would find 1 and answer.
    let module = Wat::select_peer(
        "(if (result i32) (i32.load (i32.const 2048))
           (then (i32.const 128))
           (else (i32.store (i32.const 2048) (i32.const 1)) (i32.const 64)))",
    );
    let file = module.file();
    let proxy = Proxy::with(Tenant::new("amnesiac").module(file.path(), "")).start().await;
    let mut client = proxy.client().await;
    for _ in 0..50 {
        assert_eq!(client.get("http://amnesiac.test/").await.code(), Some("no-decision"));
    }
}
