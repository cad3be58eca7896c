//! Small modules, and modules that contain a language's runtime, in one proxy: each class has its own limits, and the
//! pool has room for all of them.

use std::time::Instant;

use pointsman_tests::{Proxy, Tenant, Wat};

/// Grows its memory by this number of pages, traps if it may not, and answers 200.
fn growing(pages: u32) -> Wat {
    Wat::select_peer(&format!(
        "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable)) (i32.const 128)"
    ))
}

/// The size of a StarlingMonkey module: 24 MiB at its start, and a table of 7,690 elements.
fn large(pages: u32) -> Wat {
    growing(pages).pages(384).with("(table 7690 funcref)")
}

#[tokio::test]
async fn each_class_has_default_limits() {
    let (small, small_too_much) = (growing(250).file(), growing(260).file());
    let (runtime, runtime_too_much) = (large(600).file(), large(700).file());
    let tenant = |name, file: &tempfile::NamedTempFile| Tenant::new(name).module(file.path(), "");
    let proxy = Proxy::with(tenant("small", &small))
        .and(tenant("small-more", &small_too_much))
        .and(tenant("runtime", &runtime))
        .and(tenant("runtime-more", &runtime_too_much))
        .start()
        .await;
    assert_eq!(proxy.get("http://small.test/").await.status, 200);
    assert_eq!(proxy.get("http://small-more.test/").await.code(), Some("module-memory"));
    assert_eq!(proxy.get("http://runtime.test/").await.status, 200);
    assert_eq!(proxy.get("http://runtime-more.test/").await.code(), Some("module-memory"));
}

#[tokio::test]
async fn configured_limits_apply_to_both_classes() {
    let (small, runtime) = (growing(250).file(), large(0).file());
    let limits = "[tenant.limits]\nmemory_mib = 15";
    let tenant = |file: &tempfile::NamedTempFile| Tenant::new("shop").module(file.path(), "").table(limits);
    let proxy = Proxy::with(tenant(&small)).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.code(), Some("module-memory"));
    let error = Proxy::with(tenant(&runtime)).try_start().await.err().expect("a refusal to start");
    let expected =
        "it needs 25165824 bytes of memory at its start; 15728640 are allowed (raise the tenant's `limits.memory_mib`)";
    assert!(error.contains(expected), "{error}");
}

/// A tenant may have modules of both classes, and several tenants decide concurrently on few threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_and_small_modules_work_together_under_load() {
    let (small, large) = (Wat::answering(201).file(), large(64).file());
    let passing = Wat::select_peer("(i32.const 64)").pages(100).with("(table 5763 funcref)").file();
    let proxy = Proxy::with(Tenant::new("small").module(small.path(), ""))
        .and(Tenant::new("large").module(large.path(), ""))
        .and(Tenant::new("both").module(passing.path(), "").module(small.path(), ""))
        .and(Tenant::new("kept").module(large.path(), "").keys("instance_calls = 10"))
        .threads(3)
        .start()
        .await;
    let mut clients = Vec::new();
    for (tenant, status) in [("small", 201), ("large", 200), ("both", 201), ("kept", 200)].repeat(3) {
        let mut client = proxy.client().await;
        clients.push(tokio::spawn(async move {
            let began = Instant::now();
            for turn in 0..100 {
                let reply = client.get(&format!("http://{tenant}.test/")).await;
                assert_eq!(reply.status, status, "{tenant} {turn} {:?}", reply.code());
            }
            (tenant, began.elapsed())
        }));
    }
    for client in clients {
        client.await.expect("a client");
    }
}
