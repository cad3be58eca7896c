//! Canaries on many threads: each decision looks for the secret of any other in all that its instance has, while
//! instances move between the threads and modules are loaded, replaced and dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use pointsman_rewind::skip_without_rewinding;
use pointsman_rules::config::TenantLimits;
use pointsman_rules::contract::Decision;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;

use crate::call::{CallError, InstanceOrigin, decide};
use crate::module::{Loader, Module, Symbols, componentize};
use crate::state::Call;

const THREADS: u64 = 8;
/// Decisions of a thread after which it replaces a module.
const DECISIONS_OF_A_MODULE: u64 = 250;
const TENANTS: usize = 4;
/// Different modules. There are few, so that now and then two tenants have the same one, and a module that is loaded
/// again is sometimes still in use and sometimes has to be rebuilt.
const MODULES: u64 = 6;

/// Odd, so that multiplying by it maps no two numbers to one.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A module that traps if its memory or its globals are not as they were at the start. Then it leaves the request's
/// path, its canary, everywhere: in pages that each decision writes and, in one of 64, in another page, which may be
/// write-protected and is written by the host. Its answer is [`status`].
fn router(number: u64) -> Vec<u8> {
    let pages = 2 + number % 3;
    let mark = u64::from_le_bytes(*b"module:0") + (number << 56);
    let text = format!(
        r#"(module
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
        (memory (export "memory") {pages})
        (data (i32.const 132) "\01")
        (data (i32.const 20480) "module:{number}")
        (global $kept (mut i64) (i64.const 7))
        (global $heap (mut i32) (i32.const 8192))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (global.get $heap))
        (func (export "select-peer") (param $request i32) (result i32) (local $at i32) (local $hash i64)
          (if (i64.ne (global.get $kept) (i64.const 7)) (then unreachable))
          (if (i32.ne (global.get $heap) (i32.const 8192)) (then unreachable))
          (if (i64.ne (i64.load (i32.const 64)) (i64.const 0)) (then unreachable))
          (if (i32.load16_u (i32.const 136)) (then unreachable))
          (local.set $at (i32.const 144))
          (loop $next
            (if (i64.ne
                  (i64.load (local.get $at))
                  (select (i64.const {mark}) (i64.const 0) (i32.eq (local.get $at) (i32.const 20480))))
              (then unreachable))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const {bytes}))))

          (call $path (local.get $request) (i32.const 64))
          (local.set $hash
            (i64.mul
              (i64.xor (i64.load (i32.const 8193)) (i64.rotl (i64.load (i32.const 8201)) (i64.const 7)))
              (i64.const {MIX})))
          (global.set $kept (local.get $hash))
          (i64.store (i32.const 20480) (local.get $hash))
          ;; In two pages.
          (i64.store (i32.const 65532) (local.get $hash))
          (if (i64.eqz (i64.and (i64.shr_u (local.get $hash) (i64.const 8)) (i64.const 63)))
            (then
              (global.set $heap
                (i32.add
                  (i32.const 65536)
                  (i32.rem_u (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.const 16))) (i32.const {room}))))
              (call $path (local.get $request) (i32.const 64))))
          (call $drop (local.get $request))
          (i32.store16 (i32.const 136)
            (i32.wrap_i64
              (i64.add (i64.const 200) (i64.rem_u (i64.shr_u (local.get $hash) (i64.const 32)) (i64.const 300)))))
          (i32.const 128)))"#,
        bytes = pages * 65_536,
        room = (pages - 1) * 65_536 - 64,
    );
    componentize(&wat::parse_str(text).unwrap(), None, Symbols::Drop).unwrap()
}

/// The status with which each of the modules answers a request with this canary.
fn status(canary: &str) -> u16 {
    let half = |at: usize| u64::from_le_bytes(canary.as_bytes()[at..at + 8].try_into().unwrap());
    let hash = (half(0) ^ half(8).rotate_left(7)).wrapping_mul(MIX);
    200 + u16::try_from((hash >> 32) % 300).unwrap()
}

/// The outcomes of all decisions of a run.
#[derive(Debug, Default)]
struct Counts {
    /// Decisions that found the canary of another one.
    found: AtomicUsize,
    rewound: AtomicUsize,
    /// Decisions by an instance in which another thread had decided before.
    moved: AtomicUsize,
    replaced: AtomicUsize,
}

fn count(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Lets each thread decide this often, each time for a request of its own, for tenants whose modules come and go.
/// `keep_instances` says what becomes of a module's instances.
fn run(decisions: u64, keep_instances: impl Fn(Module) -> Module + Sync) -> Counts {
    let routers: Vec<Vec<u8>> = (0..MODULES).map(router).collect();
    let mut limits = TenantLimits::default();
    // No decision comes near it, however busy the machine is.
    limits.set(|limits| limits.decision = Duration::from_secs(1));
    let threads = usize::try_from(THREADS).unwrap();
    let loader = Loader::new(threads, threads * TENANTS).unwrap();
    let load = |router: &[u8]| keep_instances(loader.load(router, serde_json::Value::Null, &limits).unwrap());

    let tenants: Vec<RwLock<Module>> = routers.iter().take(TENANTS).map(|router| RwLock::new(load(router))).collect();
    // The first tenant decides one request at a time, so its module has one instance at most: that of the last thread.
    let last: Mutex<Option<ThreadId>> = Mutex::default();
    let counts = Counts::default();

    let decide_one = |number: u64| {
        let canary = format!("{:016x}", number.wrapping_mul(MIX));
        let tenant = usize::try_from(number).unwrap() % TENANTS;
        let mut last = (tenant == 0).then(|| last.lock());
        let module = tenants[tenant].read().clone();
        let inputs = Inputs::try_from(&WrittenRequest::get(&format!("http://a.test/{canary}"))).unwrap();
        let call = Call { inputs: &inputs, stores: None, limits: limits.of(module.class()) };
        let (answer, report) = decide(module.callee(), call);
        match answer {
            Ok(Decision::Respond(response)) => assert_eq!(response.status, status(&canary), "another one's answer"),
            Err(CallError::Trap { cause, .. }) if cause.contains("unreachable") => count(&counts.found),
            other => panic!("{canary}: {other:?}"),
        }
        if report.instance == InstanceOrigin::Rewound {
            count(&counts.rewound);
        }
        if let Some(last) = &mut last {
            let this = std::thread::current().id();
            let before = last.replace(this);
            if report.instance != InstanceOrigin::New && before != Some(this) {
                count(&counts.moved);
            }
        }
    };
    // As a release does it; the last reference may be that of a decision in progress.
    let replace = |number: u64| {
        let random = usize::try_from(number.wrapping_mul(MIX) >> 33).unwrap();
        let new = load(&routers[random % routers.len()]);
        let old = std::mem::replace(&mut *tenants[random / routers.len() % TENANTS].write(), new);
        if number.is_multiple_of(2) {
            old.keep_instances(false);
        }
        count(&counts.replaced);
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (decide_one, replace) = (&decide_one, &replace);
            scope.spawn(move || {
                for turn in 0..decisions {
                    // No two threads at the same turn.
                    if (turn + thread * DECISIONS_OF_A_MODULE / THREADS).is_multiple_of(DECISIONS_OF_A_MODULE) {
                        replace(thread * decisions + turn);
                    }
                    decide_one(thread * decisions + turn);
                }
            });
        }
    });
    counts
}

#[test]
fn no_decision_of_eight_threads_finds_the_canary_of_another() {
    skip_without_rewinding!();
    let Counts { found, rewound, moved, replaced } = run(2_000, |module| module);
    assert_eq!(found.into_inner(), 0, "decisions that found a canary");
    let (rewound, moved, replaced) = (rewound.into_inner(), moved.into_inner(), replaced.into_inner());
    assert!(rewound > 10_000, "{rewound} decisions were made by an instance that was put back");
    assert!(moved > 100, "{moved} decisions were made by an instance of another thread");
    assert!(replaced > 50, "{replaced} modules were replaced");
}

/// The search above would find what is left behind.
#[test]
fn canaries_are_found_in_instances_that_are_not_put_back() {
    let found = run(200, |module| module.with_instance_calls(u32::MAX)).found.into_inner();
    assert!(found > 200, "{found} decisions found a canary");
}
