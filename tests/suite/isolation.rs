//! What one decision leaves for the next: nothing, unless the operator wants it; and never for another tenant.

use std::sync::Arc;

use http::{HeaderMap, Method};
use pointsman::ask::{Question, Wanted, ask};
use pointsman::config::{Config, Share};
use pointsman::credentials::Credentials;
use pointsman::door::{Arrival, RequestHead};
use pointsman::metrics::Metrics;
use pointsman::module::Loader;
use pointsman::release::{Origin, Version};
use pointsman::tenant::{Modules, Surroundings, Tenant};
use pointsman_tests::{Proxy, Tenant as TestTenant, Wat};

/// Answers 200 and one for each call of this instance; traps in the fifth.
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
async fn instance_is_used_so_often_and_no_more() {
    let file = counting().file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 3");
    let proxy = Proxy::with(tenant).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [201, 202, 203, 201, 202, 203, 201]);
}

#[tokio::test]
async fn instance_is_given_up_after_a_trap() {
    let file = counting().file();
    let tenant = TestTenant::new("one").module(file.path(), "").keys("instance_calls = 100");
    let proxy = Proxy::with(tenant).threads(1).start().await;
    assert_eq!(statuses(&proxy, "one").await, [201, 202, 203, 204, 500, 201, 202]);
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

/// One page more in each call, and answers 200 and the number of its pages. It begins with one and may have 16, so half of
/// what it may grow by is past with the ninth.
#[tokio::test]
async fn instance_that_has_grown_through_half_of_its_room_is_replaced() {
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
/// then leaves one everywhere.
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

/// Two tenants with modules of their own take turns on few slots of the pooling allocator, 10,000 times each.
#[test]
fn nothing_is_left_for_the_next_decision_of_any_tenant() {
    let config = config();
    let loader = Loader::new(1, 0).expect("a loader");
    let tenant = |pages| {
        let limits = &config.tenants[0].limits;
        let module = loader.load(&Wat::core(NOSY).pages(pages).bytes(), serde_json::Value::Null, limits);
        new_tenant(
            &config,
            Modules { live: Version::new(1, vec![module.expect("the module")], Origin::Start), fallback: Vec::new() },
        )
    };
    // Another size makes another module.
    let (a, b) = (tenant(1), tenant(2));
    for turn in 0..10_000 {
        for tenant in [&a, &b, &a] {
            answer(tenant).unwrap_or_else(|error| panic!("turn {turn}: {error}"));
        }
    }
}

/// The modules above would find what is left.
#[test]
fn module_that_looks_finds_what_is_left() {
    let config = config();
    let loader = Loader::new(1, 1).expect("a loader");
    let module = loader.load(&Wat::core(NOSY).bytes(), serde_json::Value::Null, &config.tenants[0].limits);
    let live = vec![module.expect("the module").with_instance_calls(2)];
    let tenant = new_tenant(&config, Modules { live: Version::new(1, live, Origin::Start), fallback: Vec::new() });
    assert_eq!(answer(&tenant), Ok(()));
    assert!(answer(&tenant).is_err_and(|error| error.contains("unreachable")));
}

fn config() -> Config {
    let toml = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
                [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"a.wasm\"\n";
    pointsman::config::parse(toml, "pointsman.toml".as_ref()).expect("a configuration")
}

fn new_tenant(config: &Config, modules: Modules) -> Tenant {
    let (credentials, own, metrics) = (Credentials::default(), Arc::default(), Metrics::new().expect("metrics"));
    let around =
        Surroundings { credentials: &credentials, own: &own, metrics: &metrics, threads: 1, share: Share::ALL };
    Tenant::new(&config.tenants[0], modules, around).expect("a tenant")
}

fn answer(tenant: &Tenant) -> Result<(), String> {
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
    let (head, attempts) = (Arc::new(head), Vec::new().into());
    let question = Question {
        tenant,
        modules: &version.modules,
        stores: &tenant.stores,
        credentials: &terms.granted.names,
        head: &head,
        attempts: &attempts,
        recall: None,
    };
    match ask(question, &mut 0, |_, _, _| {}) {
        Ok(Wanted::Respond(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
