//! Modules whose instances start with the state that a first decision leaves.

use std::sync::Arc;
use std::time::Duration;

use pointsman_rules::config::Limits;
use pointsman_rules::request::WrittenRequest;
use pointsman_tests::{Live, Proxy, Tenant, Wat};
use pointsman_wasm::module::{Loader, Module, Moment, WarmUp, Warmth};

const URLS: [&str; 2] = ["http://shop.test/a", "http://shop.test/b"];

fn limits() -> Limits {
    Limits { decision: Duration::from_millis(20), configure: Duration::from_millis(600), ..Limits::default() }
}

fn warm_up(urls: &[&str], moment: Moment) -> WarmUp {
    WarmUp { requests: urls.iter().map(|url| WrittenRequest::get(url)).collect(), moment }
}

fn loaded(bytes: &[u8], limits: &Limits, warm_up: &WarmUp) -> Module {
    let loader = Loader::new(1, 0).expect("a loader");
    loader.load_warm(bytes, serde_json::json!({}), &limits.clone().into(), Some(warm_up)).expect("the module")
}

/// The result of warming it up with two requests.
#[track_caller]
fn check(module: &Wat, moment: Moment, expected: Result<usize, &str>) {
    let module = loaded(&module.bytes(), &limits(), &warm_up(&URLS, moment));
    match (module.warmth(), expected) {
        (Warmth::Warm { requests }, Ok(expected)) => assert_eq!(*requests, expected),
        (Warmth::Cold { reason }, Err(expected)) => assert!(reason.contains(expected), "{reason}"),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

/// The first decision of an instance runs this; each answers 200.
fn once(what: &str) -> String {
    format!(
        "(if (i32.eqz (i32.load (i32.const 2048))) (then (i32.store (i32.const 2048) (i32.const 1)) {what})) (i32.const 128)"
    )
}

/// About 100 ms, five times the budget of a decision.
const SLOW: &str = "(i32.store (i32.const 2052) (i32.const 100000000))
    (loop $l (i32.store (i32.const 2052) (i32.sub (i32.load (i32.const 2052)) (i32.const 1)))
      (br_if $l (i32.load (i32.const 2052))))";

/// The fields of a module around the body of `select-peer`, for a body that calls imports.
fn calling(imports: &str, body: &str) -> Wat {
    Wat::core(&format!(
        r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        {imports}
        (func (export "select-peer") (param $request i32) (result i32)
          {body}
          (call $drop (local.get $request)) (i32.const 128))"#
    ))
}

const RANDOM: &str = r#"(import "pointsman:router/random@0.1.0" "get-u64" (func $random (result i64)))"#;
const PATH: &str = r#"(import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))"#;

#[test]
fn one_time_work_is_done_at_load() {
    check(&Wat::select_peer(&once(SLOW)), Moment::MustNot, Ok(2));
    check(&Wat::select_peer(&once("(drop (memory.grow (i32.const 3)))")), Moment::MustNot, Ok(2));
    check(&Wat::answering(202), Moment::MustNot, Ok(2));
}

#[test]
fn module_that_decides_differently_the_second_time_stays_cold() {
    let count = "(global.set $at (i32.add (global.get $at) (i32.const 1)))
        (i32.store16 (i32.const 136) (i32.add (i32.const 200) (global.get $at))) (i32.const 128)";
    check(
        &Wat::select_peer(count),
        Moment::MayStay,
        Err("`GET /b` has another answer in an instance that has decided before"),
    );
    // From the third decision on, which no request reaches in a fresh instance.
    let late = "(global.set $at (i32.add (global.get $at) (i32.const 1)))
        (if (i32.gt_u (global.get $at) (i32.const 2)) (then (i32.store16 (i32.const 136) (i32.const 202)))) (i32.const 128)";
    check(&Wat::select_peer(late), Moment::MayStay, Err("has another answer in an instance that has decided before"));
    // From the fourth on: the snapshot is made after three.
    check(
        &Wat::select_peer(&late.replace("const 2)) (then", "const 3)) (then")),
        Moment::MayStay,
        Err("has another answer from the warm snapshot"),
    );
}

#[test]
fn module_that_traps_the_second_time_stays_cold() {
    let module =
        Wat::select_peer("(if (global.get $at) (then unreachable)) (global.set $at (i32.const 1)) (i32.const 128)");
    check(&module, Moment::MayStay, Err("has another answer in an instance that has decided before"));
}

#[test]
fn module_that_logs_once_stays_cold() {
    let log = r#"(import "pointsman:router/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let body = "(if (i32.eqz (global.get $at)) (then (call $log (i32.const 2) (i32.const 512) (i32.const 4))))
        (global.set $at (i32.const 1))";
    check(&calling(log, body), Moment::MustNot, Err("`GET /b` has other log lines"));
}

/// Its state from the first request would be in each later decision.
#[test]
fn module_that_keeps_state_of_a_request_stays_cold() {
    let body = "(if (i32.eqz (global.get $at)) (then (call $path (local.get $request) (i32.const 2048))))
        (global.set $at (i32.const 1))";
    check(&calling(PATH, body), Moment::MustNot, Err("`GET /b` has other reads of the request"));
    check(&calling(PATH, "(call $path (local.get $request) (i32.const 2048))"), Moment::MustNot, Ok(2));
}

#[test]
fn random_values_enter_a_snapshot_only_if_the_operator_allows_it() {
    let seeded = calling(RANDOM, "(i64.store (i32.const 2048) (call $random))");
    check(&seeded, Moment::MustNot, Err("each of its decisions read the clock, `random`, `shared` or `upstreams`"));
    check(&seeded, Moment::MayStay, Ok(2));
    // Where the answers contain it, they are never the same.
    let shown = calling(
        RANDOM,
        "(i32.store16 (i32.const 136) (i32.add (i32.const 200) (i32.rem_u (i32.wrap_i64 (call $random)) (i32.const 397))))",
    );
    check(&shown, Moment::MayStay, Err("has another answer"));
}

/// One that is random only for `/b` is warmed up with `/a`, and both are tried with the snapshot.
#[test]
fn requests_with_random_decisions_are_skipped() {
    let body = "(call $path (local.get $request) (i32.const 2048))
        (if (i32.eq (i32.load8_u offset=1 (i32.load (i32.const 2048))) (i32.const 98))
          (then (i32.store16 (i32.const 136) (i32.add (i32.const 200) (i32.rem_u (i32.wrap_i64 (call $random)) (i32.const 397))))))";
    check(&calling(&format!("{PATH}\n{RANDOM}"), body), Moment::MustNot, Ok(1));
}

/// A handle is an index into a table of the host, which a snapshot does not contain.
#[test]
fn module_that_keeps_a_handle_stays_cold() {
    let wit =
        "package t:t; interface i { resource thing; } world w { include pointsman:router/router@0.1.0; export i; }";
    let module = Wat::core(
        r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "[export]t:t/i" "[resource-new]thing" (func $new (param i32) (result i32)))
        (import "[export]t:t/i" "[resource-rep]thing" (func $rep (param i32) (result i32)))
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request))
          (if (i32.eqz (global.get $at)) (then (global.set $at (call $new (i32.const 7)))))
          (if (i32.ne (call $rep (global.get $at)) (i32.const 7)) (then unreachable))
          (i32.const 128))"#,
    );
    check(&module.world(wit, "t:t/w"), Moment::MayStay, Err("it keeps resource handles from one decision to the next"));
}

#[test]
fn warm_up_has_the_budget_of_configure() {
    check(
        &Wat::select_peer("(loop $l (br $l)) (i32.const 128)"),
        Moment::MustNot,
        Err("took more than 600 ms of CPU time (limits.configure_ms)"),
    );
    let module = loaded(&Wat::select_peer("unreachable").bytes(), &limits(), &warm_up(&URLS[..1], Moment::MustNot));
    assert!(matches!(module.warmth(), Warmth::Cold { reason } if reason == "none of its decisions gave an answer"));
    let none = warm_up(&["shop.test", "no url"], Moment::MustNot);
    let module = loaded(&Wat::answering(202).bytes(), &limits(), &none);
    assert!(matches!(module.warmth(), Warmth::Cold { reason } if reason == "there is no request to decide"));
}

#[test]
fn memory_of_a_warm_instance_must_fit_the_limit() {
    let grows = Wat::select_peer("(drop (memory.grow (i32.const 4))) (i32.const 128)").bytes();
    let within = |pages: usize| {
        loaded(&grows, &Limits { memory_bytes: pages << 16, ..limits() }, &warm_up(&URLS, Moment::MustNot))
    };
    assert!(matches!(within(20).warmth(), Warmth::Warm { .. }));
    // Three decisions of four pages each, and no page left to read the memory with.
    assert!(matches!(within(13).warmth(), Warmth::Cold { .. }));
}

/// A module that cannot be warmed up is loaded as it would be without.
#[test]
fn module_without_a_snapshot_is_loaded_cold() {
    let table = Wat::core(
        r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (table $table 1 funcref)
        (func (export "select-peer") (param $request i32) (result i32)
          (call $drop (local.get $request)) (table.set $table (i32.const 0) (ref.null func)) (i32.const 128))"#,
    );
    check(&table, Moment::MayStay, Err("unsupported `table.set` instruction"));
}

#[test]
fn module_is_warmed_up_after_configure() {
    let configured = |select: &str| {
        Wat::core(&format!(
            r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
            (func (export "configure") (param i32 i32) (result i32)
              (if (i32.load (i32.const 2048)) (then unreachable))
              (i32.store16 (i32.const 136) (i32.const 203)) (i32.const 64))
            (func (export "select-peer") (param $request i32) (result i32)
              (call $drop (local.get $request))
              (if (i32.ne (i32.load16_u (i32.const 136)) (i32.const 203)) (then unreachable))
              {select})"#
        ))
        .world("", "pointsman:router/configured-router")
    };
    check(&configured(&once(SLOW)), Moment::MustNot, Ok(2));
}

/// The same requests make the same artefact; others, or another configuration, make another.
#[test]
fn artefact_depends_on_the_warm_up_requests() {
    let folder = tempfile::tempdir().expect("a folder");
    let built = |urls: &[&str], config: serde_json::Value| {
        // A new loader knows only the content of the folder.
        let loader =
            Loader::new(1, 0).expect("a loader").with_cache(&folder.path().join("cache"), 1 << 30).expect("a cache");
        let warm_up = warm_up(urls, Moment::MustNot);
        let module = loader.load_warm(&Wat::select_peer(&once("")).bytes(), config, &limits().into(), Some(&warm_up));
        assert!(matches!(module.expect("the module").warmth(), Warmth::Warm { requests: 1 }));
        std::fs::read_dir(folder.path().join("cache")).expect("the folder").count()
    };
    let config = || serde_json::json!({});
    assert_eq!(built(&URLS[..1], config()), 1);
    assert_eq!(built(&URLS[..1], config()), 1);
    assert_eq!(built(&URLS[1..], config()), 2);
    assert_eq!(built(&URLS[..1], serde_json::json!({"a": 1})), 3);
    let bytes = || {
        let file =
            |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.expect("an entry").path()).expect("a file");
        let mut files: Vec<Vec<u8>> =
            std::fs::read_dir(folder.path().join("cache")).expect("the folder").map(file).collect();
        files.sort();
        files
    };
    let before = bytes();
    std::fs::remove_dir_all(folder.path().join("cache")).expect("removed");
    for (urls, config) in [(&URLS[..1], config()), (&URLS[1..], config()), (&URLS[..1], serde_json::json!({"a": 1}))] {
        built(urls, config);
    }
    assert!(bytes() == before, "builds are reproducible");
}

fn tests(path: &str) -> String {
    format!(
        r#"[{{"name": "all", "request": {{"url": "http://shop.test{path}"}}, "expect": {{"respond": {{"status": 200}}}}}}]"#
    )
}

/// If the first decision exceeds the budget of a decision, it fails each request, unless it runs at load.
#[tokio::test]
async fn warm_module_serves_within_the_budget() {
    let live = Live::new(&Wat::select_peer(&once(SLOW)));
    let start = async |warm: &'static str| {
        let tenant = Tenant::new("shop").module(live.path(), "").table("[tenant.limits]\ndecision_ms = 20");
        Proxy::with(tenant.warm(warm)).start().await
    };
    let cold = start("never").await;
    assert_eq!(cold.get("http://shop.test/").await.status, 500);
    // Without tests, with a plain request; with tests, with theirs.
    for path in [None, Some("/a")] {
        if let Some(path) = path {
            live.tests(&tests(path));
        }
        let warm = start("always").await;
        for _ in 0..5 {
            assert_eq!(warm.get("http://shop.test/").await.status, 200);
        }
        // The same applies to a reload, an upload and a rollback: each loads as the start does.
        live.replace(&Wat::select_peer(&format!("{} (drop) (i32.const 128)", once(SLOW))).bytes());
        pointsman_tests::eventually_async("the second version", async || {
            (warm.metric(r#"pointsman_live_version{tenant="shop"}"#).await == 2.0).then_some(())
        })
        .await;
        assert_eq!(warm.get("http://shop.test/").await.status, 200);
        let text = std::fs::read_to_string(warm.config_file()).expect("the configuration");
        std::fs::write(warm.config_file(), text.replace("[tenant.module.config]", "[tenant.module.config]\na = 1"))
            .expect("written");
        assert_eq!(warm.reload().await.expect("a good configuration").changed, ["shop"]);
        assert_eq!(warm.get("http://shop.test/").await.status, 200);
        live.replace(&Wat::select_peer(&once(SLOW)).bytes());
    }
}

/// Each decision of a module that counts is its first one.
#[tokio::test]
async fn module_that_uses_a_counter_stays_cold() {
    let count = "(global.set $at (i32.add (global.get $at) (i32.const 1)))
        (i32.store16 (i32.const 136) (i32.add (i32.const 200) (global.get $at))) (i32.const 128)";
    let live = Live::new(&Wat::select_peer(count));
    let proxy = Proxy::with(Tenant::new("shop").module(live.path(), "").warm("always")).start().await;
    for _ in 0..3 {
        assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    }
    let tenants = proxy.control().tenants();
    let live: Arc<_> = tenants["shop"].releases.live();
    assert!(matches!(live.modules[0].warmth(), Warmth::Cold { .. }));
}
