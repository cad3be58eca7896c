//! No decision leaves state for the next one, unless the operator enables that, and never for another tenant.

use std::sync::Arc;

use http::{HeaderMap, Method};
use pointsman::api::Origin;
use pointsman::credentials::Credentials;
use pointsman::evaluate::{Action, Question, evaluate};
use pointsman::metrics::Metrics;
use pointsman::tenant::{Modules, Tenant, TenantDeps};
use pointsman::versions::Version;
use pointsman_rules::config::{Config, Share};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{Arrival, RequestHead};
use pointsman_tests::{Proxy, Tenant as TestTenant, Wat};
use pointsman_wasm::call::InstanceOrigin;
use pointsman_wasm::module::Loader;

/// Answers 200 plus the number of earlier calls of this instance; traps in the fifth.
fn counting() -> Wat {
    Wat::select_peer(
        "(i32.store (i32.const 2048) (i32.add (i32.load (i32.const 2048)) (i32.const 1)))
         (if (i32.eq (i32.load (i32.const 2048)) (i32.const 5)) (then unreachable))
         (i32.store16 (i32.const 136) (i32.add (i32.const 200) (i32.load (i32.const 2048))))
         (i32.const 128)",
    )
}

async fn statuses<const N: usize>(proxy: &Proxy, tenant: &str) -> [u16; N] {
    let mut client = proxy.client().await;
    let mut statuses = [0; N];
    for status in &mut statuses {
        *status = client.get(&format!("http://{tenant}.test/")).await.status;
    }
    statuses
}

#[tokio::test]
async fn instance_is_reused_up_to_its_limit() {
    let file = counting().file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 3");
    let proxy = Proxy::with(tenant).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [201, 202, 203, 201, 202, 203, 201]);
}

#[tokio::test]
async fn instance_is_discarded_after_a_trap() {
    let file = counting().file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 100");
    let proxy = Proxy::with(tenant).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [201, 202, 203, 204, 500, 201, 202]);
}

/// Answers 200 plus the number of earlier answers for which the host has called the post-return function.
#[tokio::test]
async fn instance_frees_each_answer() {
    let after = "(func (export \"cabi_post_select-peer\") (param $answer i32)
        (if (i32.ne (local.get $answer) (i32.const 128)) (then unreachable))
        (global.set $at (i32.add (global.get $at) (i32.const 1))))";
    let answering = Wat::select_peer(
        "(i32.store16 (i32.const 136) (i32.add (i32.const 200) (global.get $at)))
         (i32.const 128)",
    );
    let file = answering.with(after).file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 3");
    let proxy = Proxy::with(tenant).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [200, 201, 202, 200, 201]);
}

#[tokio::test]
async fn tenants_never_share_an_instance() {
    let file = counting().file();
    let tenant = |name| TestTenant::new(name).module(file.path(), "").keys("instance_calls = 100");
    let proxy = Proxy::with(tenant("one")).and(tenant("other")).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [201, 202]);
    assert_eq!(statuses(&proxy, "other").await, [201]);
    assert_eq!(statuses(&proxy, "one").await, [203]);
}

/// Grows by one page in each call, and answers 200 plus the number of its pages. It begins with one and may have 16, so
/// half of its allowed growth is exceeded with the ninth.
#[tokio::test]
async fn instance_that_has_grown_by_half_its_allowance_is_replaced() {
    let file = Wat::select_peer(
        "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
         (i32.store16 (i32.const 136) (i32.add (i32.const 200) (memory.size)))
         (i32.const 128)",
    )
    .file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 100");
    let proxy = Proxy::with(tenant.table("[tenant.limits]\nmemory_mib = 1")).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [202, 203, 204, 205, 206, 207, 208, 209, 202, 203]);
}

/// Looks for a canary in all memory that it has or can get, in a global and in its table, and traps if it finds one;
/// then writes one everywhere.
const NOSY: &str = r#"
    (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
    (table $table 8 200 funcref)
    (elem declare func $canary)
    (func $canary)
    (global $seen (mut i64) (i64.const 0))
    (func (export "select-peer") (param $request i32) (result i32)
      (local $at i32)
      (call $drop (local.get $request))
      (if (i64.ne (global.get $seen) (i64.const 0)) (then unreachable))
      (drop (memory.grow (i32.const 2)))
      (local.set $at (i32.const 4096))
      (loop $again
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
        (i64.store (local.get $at) (i64.const 0x0ca0a41ca0a41000))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 196608))))
      (drop (table.grow $table (ref.null func) (i32.const 100)))
      (local.set $at (i32.const 0))
      (loop $again
        (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then unreachable))
        (table.set $table (local.get $at) (ref.func $canary))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 108))))
      (global.set $seen (i64.const 0x0ca0a41ca0a41000))
      (i32.const 128))"#;

/// Two tenants with different modules take turns on few slots of the pooling allocator, 10,000 times each.
#[test]
fn no_state_is_left_for_the_next_decision_of_any_tenant() {
    let loader = Loader::new(1, 0).expect("a loader");
    let tenant = |pages| tenant_of(&loader, &Wat::core(NOSY).pages(pages));
    // A different size makes a different module.
    let (a, b) = (tenant(1), tenant(2));
    for turn in 0..10_000 {
        for tenant in [&a, &b, &a] {
            assert_eq!(answer(tenant), Ok(InstanceOrigin::New), "turn {turn}");
        }
    }
}

/// The same for everything that can be restored: memory, with its initial content, and globals.
const NOSY_OF_WHAT_IS_REWOUND: &str = r#"
    (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
    (data (i32.const 5000) "as it was")
    (global $a (mut i32) (i32.const 7))
    (global $b (mut i64) (i64.const 0))
    (global $c (mut f32) (f32.const 0.5))
    (global $d (mut f64) (f64.const 0.25))
    (global $e (mut v128) (v128.const i64x2 3 4))
    (func $other (param $at i32) (result i32)
      (i32.and
        (i64.ne (i64.load (local.get $at)) (i64.const 0))
        (i32.or (i32.lt_u (local.get $at) (i32.const 5000)) (i32.ge_u (local.get $at) (i32.const 5016)))))
    (func (export "select-peer") (param $request i32) (result i32)
      (local $at i32)
      (call $drop (local.get $request))
      (if (i32.ne (global.get $a) (i32.const 7)) (then unreachable))
      (if (i64.ne (global.get $b) (i64.const 0)) (then unreachable))
      (if (f32.ne (global.get $c) (f32.const 0.5)) (then unreachable))
      (if (f64.ne (global.get $d) (f64.const 0.25)) (then unreachable))
      (if (i64.ne (i64x2.extract_lane 1 (global.get $e)) (i64.const 4)) (then unreachable))
      ;; "as it wa"
      (if (i64.ne (i64.load (i32.const 5000)) (i64.const 0x6177207469207361)) (then unreachable))
      (local.set $at (i32.const 4096))
      (loop $again
        (if (call $other (local.get $at)) (then unreachable))
        (i64.store (local.get $at) (i64.const 0x0ca0a41ca0a41000))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $again (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
      (global.set $a (i32.const 1))
      (global.set $b (i64.const 1))
      (global.set $c (f32.const 1))
      (global.set $d (f64.const 1))
      (global.set $e (v128.const i64x2 1 1))
      (i32.const 128))"#;

/// The origin of an instance that can be rewound: a kernel before Linux 6.7 does not report written pages.
fn rewound() -> InstanceOrigin {
    match wasmtime::PoolingAllocationConfig::is_pagemap_scan_available() {
        true => InstanceOrigin::Rewound,
        false => InstanceOrigin::New,
    }
}

#[test]
fn rewound_instance_equals_a_new_one() {
    let loader = Loader::new(1, 0).expect("a loader");
    let tenant = |pages| tenant_of(&loader, &Wat::core(NOSY_OF_WHAT_IS_REWOUND).pages(pages));
    let (a, b) = (tenant(1), tenant(2));
    // The first one shows which pages are written, the second one their original contents.
    for tenant in [&a, &a, &b, &b] {
        assert_eq!(answer(tenant), Ok(InstanceOrigin::New));
    }
    for turn in 0..3_000 {
        for tenant in [&a, &b, &a] {
            assert_eq!(answer(tenant), Ok(rewound()), "turn {turn}");
        }
    }
}

/// Traps if the memory contains anything from 4096 on.
const LOOK: &str = "
    (local.set $at (i32.const 4096))
    (loop $again
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))";

/// Writes one page more each time: the set of written pages is not always the same.
#[test]
fn pages_written_for_the_first_time_are_restored() {
    let text = r#"
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:router/random@0.1.0" "get-u64" (func $random (result i64)))
        (func (export "select-peer") (param $request i32) (result i32)
          (local $at i32)
          (call $drop (local.get $request))
          LOOK
          ;; Anywhere in the second page of 64 KiB.
          (i32.store8
            (i32.add (i32.const 65536) (i32.and (i32.wrap_i64 (call $random)) (i32.const 65535)))
            (i32.const 1))
          (i32.const 128))"#;
    let loader = Loader::new(1, 0).expect("a loader");
    let tenant = tenant_of(&loader, &Wat::core(&text.replace("LOOK", LOOK)).pages(2));
    let as_usual = (0..2_000).filter(|turn| match answer(&tenant) {
        Ok(made) => made == rewound(),
        Err(error) => panic!("turn {turn}: {error}"),
    });
    // It has sixteen pages of 4 KiB to write, and may be new each time that one is written for the first time.
    assert!(as_usual.count() > 1_900);
}

/// Writes to the same page each time and, in one decision of sixty-four, elsewhere: itself, by an instruction that the
/// host executes, or through the host, which passes it a string; or it divides by zero, and the instance is discarded.
const RESTLESS: &str = r#"
    (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
    (import "pointsman:router/random@0.1.0" "get-u64" (func $random (result i64)))
    (import "pointsman:router/config@0.1.0" "json" (func $json (param i32)))
    (func (export "select-peer") (param $request i32) (result i32)
      (local $at i32)
      (local $random i64)
      (call $drop (local.get $request))
      LOOK
      (i32.store (i32.const 8192) (i32.const 1))
      (local.set $random (call $random))
      ;; Anywhere but in the first 64 KiB and the last 8 of the memory.
      (local.set $at
        (i32.add
          (i32.const 65536)
          (i32.rem_u
            (i32.wrap_i64 (i64.shr_u (local.get $random) (i64.const 32)))
            (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 73728)))))
      (block $done
        (block $store
          (block $fill
            (block $string
              (block $trap
                (br_table $store $fill $string $trap $done (i32.and (i32.wrap_i64 (local.get $random)) (i32.const 255))))
              (drop (i32.div_u (i32.const 1) (i32.const 0))))
            (global.set $heap (local.get $at))
            (call $json (i32.const 700))
            (br $done))
          (memory.fill (local.get $at) (i32.const 1) (i32.const 8000))
          (br $done))
        ;; In two pages, as a rule.
        (i64.store (i32.sub (i32.and (local.get $at) (i32.const -4096)) (i32.const 4)) (i64.const -1)))
      (i32.const 128))"#;

#[test]
fn writes_to_protected_pages_are_restored() {
    let loader = Loader::new(1, 0).expect("a loader");
    let tenant = |pages| tenant_of(&loader, &Wat::core(&RESTLESS.replace("LOOK", LOOK)).pages(pages));
    let (a, b) = (tenant(3), tenant(4));
    let mut traps = 0;
    for turn in 0..10_000 {
        for tenant in [&a, &b, &a] {
            match answer(tenant) {
                Ok(_) => {}
                Err(error) if error.contains("divide by zero") => traps += 1,
                Err(error) => panic!("turn {turn}: {error}"),
            }
        }
    }
    assert!(traps > 0);
}

#[test]
fn instance_that_cannot_be_rewound_is_replaced() {
    let loader = Loader::new(1, 0).expect("a loader");
    let made = |wat: &Wat| {
        let tenant = tenant_of(&loader, wat);
        [(); 4].map(|()| answer(&tenant).expect("an answer"))
    };
    let usual = [InstanceOrigin::New, InstanceOrigin::New, rewound(), rewound()];
    assert_eq!(made(&Wat::select_peer("(i32.store (i32.const 9000) (i32.const 1)) (i32.const 128)")), usual);
    let grows = Wat::select_peer("(drop (memory.grow (i32.const 1))) (i32.const 128)");
    assert_eq!(made(&grows), [InstanceOrigin::New; 4]);
    // Larger than the snapshot that is kept of a module.
    let large = Wat::select_peer(
        "(memory.fill (i32.const 4096) (i32.const 1) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)))
         (i32.const 128)",
    );
    assert_eq!(made(&large.pages(140)), [InstanceOrigin::New; 4]);
}

/// Each has sixteen of the 2,048 tables that all idle instances may have.
#[test]
fn number_of_idle_instances_is_bounded() {
    if rewound() == InstanceOrigin::New {
        return;
    }
    let loader = Loader::new(1, 0).expect("a loader");
    let tables = "(table 1 funcref)".repeat(16);
    let tenants: Vec<Tenant> = (0..150)
        .map(|number| {
            let text = format!(
                r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32))) {tables}
                   (func (export "select-peer") (param i32) (result i32)
                     (call $drop (local.get 0)) (i32.store (i32.const 9000) (i32.const {number})) (i32.const 128))"#
            );
            tenant_of(&loader, &Wat::core(&text))
        })
        .collect();
    let are_rewound = |tenants: &[Tenant]| tenants.iter().filter(|tenant| answer(tenant) == Ok(rewound())).count();
    let (most, more) = tenants.split_at(128);
    // The original contents of their pages are known when a second instance has been made.
    for expected in [0, 0, 128, 128] {
        assert_eq!(are_rewound(most), expected);
    }
    for _ in 0..4 {
        assert!(are_rewound(&tenants) <= 128);
    }
    // The others make room for those that are called now.
    for expected in [0, 22, 22] {
        assert!(are_rewound(more) >= expected);
    }
    // An instance that is dropped with its tenant makes room as well.
    let last = tenant_of(&loader, &Wat::select_peer("(i32.store (i32.const 9000) (i32.const 1)) (i32.const 128)"));
    drop(tenants);
    for expected in [0, 0, 1, 1] {
        assert_eq!(are_rewound(std::slice::from_ref(&last)), expected);
    }
}

/// This shows that the modules above would detect leftover state.
#[test]
fn reused_instance_shows_state_of_earlier_decisions() {
    let config = config();
    let loader = Loader::new(1, 1).expect("a loader");
    let module = loader.load(&Wat::core(NOSY).bytes(), serde_json::Value::Null, &config.tenants[0].limits);
    let live = vec![module.expect("the module").with_instance_calls(2)];
    let tenant = new_tenant(&config, Modules { live: Version::new(1, live, Origin::Start), fallback: Vec::new() });
    assert_eq!(answer(&tenant), Ok(InstanceOrigin::New));
    assert!(answer(&tenant).is_err_and(|error| error.contains("unreachable")));
}

/// With a budget that no decision here comes near, however busy the machine is: the test is about leftover state.
fn config() -> Config {
    let toml = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
                [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"a.wasm\"\n\
                [tenant.limits]\ndecision_ms = 1000\n";
    pointsman_rules::config::parse(toml, "pointsman.toml".as_ref()).expect("a configuration")
}

fn tenant_of(loader: &Loader, wat: &Wat) -> Tenant {
    let config = config();
    let module = loader.load(&wat.bytes(), serde_json::Value::Null, &config.tenants[0].limits);
    let live = vec![module.expect("the module")];
    new_tenant(&config, Modules { live: Version::new(1, live, Origin::Start), fallback: Vec::new() })
}

fn new_tenant(config: &Config, modules: Modules) -> Tenant {
    let (credentials, own, metrics) = (Credentials::default(), Arc::default(), Metrics::new().expect("metrics"));
    let around = TenantDeps { credentials: &credentials, own: &own, metrics: &metrics, threads: 1, share: Share::ALL };
    Tenant::new(&config.tenants[0], modules, around).expect("a tenant")
}

/// The origin of the instance that gave a `respond`.
fn answer(tenant: &Tenant) -> Result<InstanceOrigin, String> {
    let head = RequestHead::new(Arrival {
        method: Method::GET,
        target: b"/".to_vec(),
        authority: "a.test".to_owned(),
        headers: HeaderMap::new(),
        client_ip: None,
        listener: "web".into(),
        tls: None,
    });
    let (version, terms) = (tenant.releases.live(), tenant.terms());
    let question = Question { tenant, modules: &version.modules, stores: &tenant.stores, terms: &terms, cache: None };
    let (action, calls) = evaluate(question, &Inputs::first(Arc::new(head)));
    match action {
        Ok(Action::Respond(_)) => {
            calls.last().map(|call| call.report.instance).ok_or_else(|| "no module was called".to_owned())
        }
        other => Err(format!("{other:?}")),
    }
}
