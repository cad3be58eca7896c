//! New versions of modules and of the configuration on a live proxy.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::Full;
use pointsman_tests::client::{Client, get};
use pointsman_tests::{Live, Proxy, Tenant, Upstream, Wat, eventually_async, example};
use tempfile::TempDir;

pub fn tenant(live: &Live) -> Tenant {
    Tenant::new("shop").module(live.path(), "")
}

/// Waits until requests are answered with this status.
pub async fn answers(proxy: &Proxy, status: u16) {
    eventually_async(&format!("status {status}"), async || {
        (proxy.get("http://shop.test/").await.status == status).then_some(())
    })
    .await;
}

/// Waits until this number of new versions has been refused.
pub async fn refused(proxy: &Proxy, times: usize) {
    let series = r#"pointsman_releases_total{outcome="refused",tenant="shop"}"#;
    eventually_async(&format!("{times} refused"), async || (proxy.metric(series).await >= times as f64).then_some(()))
        .await;
}

/// Why the last new version was refused: the step, and the message.
pub fn last_failure(proxy: &Proxy) -> (&'static str, String) {
    let tenants = proxy.control().tenants();
    let failures = tenants["shop"].releases.failures();
    let last = failures.last().expect("a failure");
    (last.refused.step.name(), last.refused.to_string())
}

#[tokio::test]
async fn replaced_file_is_loaded() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live)).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    live.replace(&Wat::answering(202).bytes());
    answers(&proxy, 202).await;
    live.replace(&Wat::answering(203).component());
    answers(&proxy, 203).await;
    assert_eq!(proxy.metric(r#"pointsman_live_version{tenant="shop"}"#).await, 3.0);
    let digest = pointsman_wasm::module::Digest::of(&Wat::answering(203).component());
    let series = |digest: &str| format!(r#"pointsman_module_info{{digest="{digest}",position="0",tenant="shop"}}"#);
    assert_eq!(proxy.metric(&series(&digest.to_string())).await, 1.0);
    let old = pointsman_wasm::module::Digest::of(&Wat::answering(202).bytes());
    assert_eq!(proxy.metric(&series(&old.to_string())).await, 0.0, "the old one's series is gone");
}

#[tokio::test]
async fn partly_written_file_is_not_loaded() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live)).start().await;
    let bytes = Wat::answering(202).bytes();
    let mut file = std::fs::File::create(live.path()).expect("the file");
    for part in bytes.chunks(100) {
        file.write_all(part).expect("written");
        assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    }
    drop(file);
    answers(&proxy, 202).await;
    assert_eq!(proxy.metric(r#"pointsman_releases_total{outcome="refused",tenant="shop"}"#).await, 0.0);
}

/// As Kubernetes replaces the files of a volume: by one symlink in the path of all others.
#[tokio::test]
async fn changed_symlink_is_followed() {
    let volume = TempDir::new().expect("a folder");
    let version = |name: &str, status: u16| {
        std::fs::create_dir(volume.path().join(name)).expect("a folder");
        std::fs::write(volume.path().join(name).join("router.wasm"), Wat::answering(status).bytes()).expect("written");
    };
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, volume.path().join("new")).expect("a symlink");
        std::fs::rename(volume.path().join("new"), volume.path().join(name)).expect("in its place");
    };
    version("..1", 201);
    link("..1", "..data");
    link("..data/router.wasm", "router.wasm");
    let proxy = Proxy::with(Tenant::new("shop").module(volume.path().join("router.wasm"), "")).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    version("..2", 202);
    link("..2", "..data");
    answers(&proxy, 202).await;
}

#[tokio::test]
async fn touched_or_restored_file_makes_no_version() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live)).start().await;
    let bytes = std::fs::read(live.path()).expect("the module");
    std::fs::remove_file(live.path()).expect("removed");
    live.replace(&bytes);
    live.replace(&Wat::answering(202).bytes());
    answers(&proxy, 202).await;
    assert_eq!(proxy.metric(r#"pointsman_live_version{tenant="shop"}"#).await, 2.0);
}

/// Endless requests, on this number of connections, until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// Every response must have one of these statuses.
    fn start(proxy: &Proxy, clients: usize, allowed: &'static [u16]) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let address = proxy.address();
        let tasks = (0..clients).map(|number| {
            let (stop, done) = (stop.clone(), done.clone());
            tokio::spawn(async move {
                let connect = async || match number % 2 {
                    0 => Client::http1(address).await,
                    _ => Client::http2(address).await,
                };
                let mut client = connect().await;
                while !stop.load(Ordering::Relaxed) {
                    // Some clients reconnect for each request.
                    if number % 4 < 2 {
                        client = connect().await;
                    }
                    let request = get("http://shop.test/").body(Full::default()).expect("a request");
                    let reply = client.send(request).await.expect("a reply");
                    assert!(allowed.contains(&reply.status), "{} {}", reply.status, reply.body);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        Load { stop: stop.clone(), done: done.clone(), tasks: tasks.collect() }
    }

    /// Ends it, and returns the number of requests.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no request failed");
        }
        self.done.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_lose_no_request_and_bad_modules_never_serve() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live).table("[tenant.limits]\nconfigure_ms = 300")).start().await;
    let load = Load::start(&proxy, 8, &[201, 202]);
    for round in 1..=10 {
        live.replace(&Wat::answering(if round % 2 == 0 { 201 } else { 202 }).bytes());
        let number = f64::from(round + 1);
        eventually_async("a new version", async || {
            (proxy.metric(r#"pointsman_live_version{tenant="shop"}"#).await == number).then_some(())
        })
        .await;
    }

    let good = Wat::answering(202).bytes();
    let configured = |body: &str| {
        let fields = format!(
            r#"(import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
            (import "pointsman:router/shared@0.1.0" "delete" (func $delete (param i32 i32)))
            (import "pointsman:router/log@0.1.0" "log" (func $log (param i32 i32 i32)))
            (data (i32.const 512) "no table")
            (func (export "select-peer") (param $r i32) (result i32) (call $drop (local.get $r)) (i32.const 128))
            (func (export "configure") (param i32 i32) (result i32) {body})"#
        );
        Wat::core(&fields).world("", "pointsman:router/configured-router").bytes()
    };
    let bad: Vec<(Vec<u8>, &str, &str)> = vec![
        (Vec::new(), "build", "not a WebAssembly file"),
        (b"<html>404 Not Found</html>".to_vec(), "build", "not a WebAssembly file"),
        (good[..good.len() / 2].to_vec(), "build", "is the file complete?"),
        (Wat::answering(202).core_bytes(), "build", "without a component type"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "build", "it does not export `select-peer`"),
        (Wat::answering(202).pages(1100).bytes(), "limits", "bytes of memory at its start"),
        (Wat::select_peer("(i32.const 128)").world("package t:t; world w { import wasi:cli/environment@0.2.0; } package wasi:cli@0.2.0 { interface environment { get: func(); } }", "t:t/w").core_bytes(), "build", "without a component type"),
        (configured("unreachable"), "configure", "its `configure` failed: the module trapped"),
        // As a language's runtime reports a panic.
        (configured("(call $log (i32.const 4) (i32.const 512) (i32.const 8)) unreachable"), "configure", "instruction executed; its log: no table"),
        (configured("(loop $l (br $l)) unreachable"), "configure", "took more than 300 ms of CPU time (limits.configure_ms)"),
        (configured("(call $delete (i32.const 512) (i32.const 4)) (i32.const 64)"), "configure", "`shared.delete` cannot be called in `configure`"),
    ];
    assert_eq!(bad.len(), 11);
    for (number, (bytes, step, message)) in bad.iter().enumerate() {
        live.replace(bytes);
        refused(&proxy, number + 1).await;
        let (found, text) = last_failure(&proxy);
        assert!(found == *step && text.contains(message), "{number}: {found}: {text}");
    }
    live.replace(&good);
    eventually_async("the good one", async || {
        (proxy.metric(r#"pointsman_live_version{tenant="shop"}"#).await == 12.0).then_some(())
    })
    .await;
    let requests = load.end().await;
    assert!(requests > 100, "{requests} requests");
}

const STATUS_202: &str =
    r#"[{"name": "all", "request": {"url": "http://shop.test/"}, "expect": {"respond": {"status": 202}}}]"#;

#[tokio::test]
async fn version_that_fails_its_tests_does_not_serve() {
    let live = Live::new(&Wat::answering(202));
    live.tests(STATUS_202);
    let proxy = Proxy::with(tenant(&live)).start().await;
    live.replace(&Wat::answering(203).bytes());
    refused(&proxy, 1).await;
    let (step, message) = last_failure(&proxy);
    assert_eq!(step, "test");
    assert!(message.ends_with("router.tests.json`: test `all`: `respond.status` is 203, expected 202"), "{message}");
    assert_eq!(proxy.get("http://shop.test/").await.status, 202);
    // The tests belong to the version: when they change, the same module is tried again.
    live.tests(&STATUS_202.replace("202", "203"));
    answers(&proxy, 203).await;
    live.tests("[{}]");
    refused(&proxy, 2).await;
    assert!(last_failure(&proxy).1.contains("is not a list of tests: missing field `name`"));
}

#[tokio::test]
async fn proxy_does_not_start_with_tests_that_fail() {
    let live = Live::new(&Wat::answering(201));
    live.tests(STATUS_202);
    let error = Proxy::with(tenant(&live)).try_start().await.err().expect("a refusal to start");
    assert!(error.contains("`respond.status` is 201, expected 202"), "{error}");
}

/// The example `table` with a table that is built once.
#[tokio::test]
async fn state_of_configure_is_available_to_each_decision() {
    let (one, two) = (Upstream::answering("one").start().await, Upstream::answering("two").start().await);
    let config = |one: &Upstream, two: &Upstream| {
        let routes = format!("\"shop.test\" = \"{}\"\n\"shop.test/api\" = \"{}\"", one.address(), two.address());
        format!("[tenant.module.config.routes]\n{routes}")
    };
    let proxy = Proxy::with(Tenant::new("shop").module(example("table"), &config(&one, &two))).start().await;
    for _ in 0..3 {
        assert_eq!(proxy.get("http://shop.test/apis").await.body, "one");
        assert_eq!(proxy.get("http://shop.test/api/1").await.body, "two");
    }
    // A different table is a different version of the same file.
    let text = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    std::fs::write(proxy.config_file(), text.replace(&config(&one, &two), &config(&two, &one))).expect("written");
    assert_eq!(proxy.reload().await.expect("a good configuration").changed, ["shop"]);
    assert_eq!(proxy.get("http://shop.test/").await.body, "two");
    let text = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    let text = text.replace("[tenant.module.config.routes]", "[tenant.module.config.route]");
    std::fs::write(proxy.config_file(), text).expect("written");
    let error = proxy.reload().await.expect_err("no such key");
    assert!(
        error.contains("its `configure` refused its `config` table: config: `/route`: unknown field `route`"),
        "{error}"
    );
    assert_eq!(proxy.get("http://shop.test/").await.body, "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_is_applied_completely_or_not_at_all() {
    let (a, b) = (Live::new(&Wat::answering(201)), Live::new(&Wat::answering(202)));
    let other = Tenant::new("other").module(b.path(), "");
    let proxy = Proxy::with(tenant(&a)).and(other).start().await;
    let before = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    let shop = proxy.control().tenants()["shop"].clone();

    let more =
        format!("\n[[tenant]]\nname = \"new\"\nhostnames = [\"new.test\"]\n[[tenant.module]]\npath = {:?}\n", a.path());
    let bad = [
        (before.replace("[[tenant]]", "[[tenant"), "not valid TOML"),
        (before.replace("name = \"shop\"", "name = \"\""), "tenant[0].name: must be 1 to 64 letters"),
        (before.replace("\"other.test\"", "\"shop.test\""), "which tenant `shop` has already"),
        (before.replace("router.wasm", "missing.wasm"), "cannot read `"),
        (format!("{before}[tenant.limits]\nmemory_mib = 0\n"), "memory_mib: must be from 1 to 256"),
        (before.replace("threads = 2", "threads = 3"), "`[proxy]` changed, which a running proxy cannot change"),
        (before.replace("name = \"plain\"", "name = \"plainer\""), "`[[listener]]` changed"),
        (format!("{before}{more}[tenant.failure.peer]\naddress = \"10.0.0.1:80\"\n"), "`10.0.0.1:80` is of a private"),
        (format!("{before}{more}instance_calls = 5\n"), "instance_calls: unknown key"),
        (format!("{before}\n[[ca]]\nname = \"roots\"\nfile = \"none.pem\"\n"), "none.pem`"),
        (
            before.replace("hostnames = [\"shop.test\"]", "hostnames = [\"shop.test\"]\ninstance_calls = 5"),
            "would keep 4 instances",
        ),
    ];
    let load = Load::start(&proxy, 8, &[201]);
    for (text, message) in &bad {
        assert_ne!(*text, before, "{message}");
        std::fs::write(proxy.config_file(), text).expect("written");
        let error = proxy.reload().await.expect_err(message);
        assert!(error.contains(message), "{error}\ninstead of {message}");
        assert_eq!(proxy.get("http://shop.test/").await.status, 201);
        assert_eq!(proxy.get("http://new.test/").await.status, 404);
    }

    let requests = load.end().await;
    assert!(requests > 100, "{requests} requests");

    std::fs::write(proxy.config_file(), format!("{before}{more}").replace("other", "another")).expect("written");
    let changes = proxy.reload().await.expect("a good configuration");
    assert_eq!(
        (changes.added, changes.removed),
        (vec!["another".to_owned(), "new".to_owned()], vec!["other".to_owned()])
    );
    assert_eq!((changes.changed.len(), changes.unchanged), (0, 1));
    assert!(Arc::ptr_eq(&shop, &proxy.control().tenants()["shop"]), "it was not touched");
    assert_eq!(proxy.get("http://new.test/").await.status, 201);
    assert_eq!(proxy.get("http://another.test/").await.status, 202);
    assert_eq!(proxy.get("http://other.test/").await.status, 404);
}

/// A counter in `shared` keeps its value, and the version stays, when a limit changes.
#[tokio::test]
async fn stores_of_a_tenant_survive_a_reload_of_its_configuration() {
    let upstream = Upstream::answering("up").start().await;
    let config = format!("upstream = \"{}\"\nper_minute = 3", upstream.address());
    let proxy = Proxy::with(Tenant::new("shop").module(example("quota"), &config)).start().await;
    for _ in 0..2 {
        assert_eq!(proxy.get("http://shop.test/").await.status, 200);
    }
    let text = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    std::fs::write(proxy.config_file(), format!("{text}[tenant.limits]\nattempts = 1\n")).expect("written");
    assert_eq!(proxy.reload().await.expect("a good configuration").changed, ["shop"]);
    assert_eq!(proxy.get("http://shop.test/").await.status, 200);
    assert_eq!(proxy.get("http://shop.test/").await.status, 429);
}

#[tokio::test]
async fn unnoticed_module_change_is_loaded_with_the_configuration() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live)).proxy("watch = false").start().await;
    live.replace(&Wat::answering(202).bytes());
    assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    assert_eq!(proxy.reload().await.expect("the same configuration").unchanged, 1);
    assert_eq!(proxy.get("http://shop.test/").await.status, 202);
}

#[tokio::test]
async fn module_and_configuration_changed_together_are_checked_together() {
    let (live, state) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let keys = format!("watch = false\nstate_dir = {:?}", state.path());
    let proxy = Proxy::with(tenant(&live)).proxy(&keys).start().await;
    let before = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    // More memory than the tenant's limit, until the limit is raised.
    let large = Wat::answering(202).pages(1100).bytes();
    live.replace(&large);
    let refused = proxy.reload().await.expect("a good configuration").refused;
    assert_eq!((refused[0].tenant.as_str(), refused[0].step.name()), ("shop", "limits"), "{refused:?}");
    assert_eq!(
        proxy.reload().await.expect("a good configuration").refused.len(),
        1,
        "a reload by an operator checks it again"
    );
    std::fs::write(proxy.config_file(), format!("{before}[tenant.limits]\nmemory_mib = 128\n")).expect("written");
    assert_eq!(proxy.reload().await.expect("a good configuration").changed, ["shop"]);
    assert_eq!(proxy.get("http://shop.test/").await.status, 202);
    live.replace(&Wat::answering(203).bytes());
    std::fs::write(proxy.config_file(), &before).expect("written");
    assert_eq!(proxy.reload().await.expect("a good configuration").changed, ["shop"]);
    assert_eq!(proxy.get("http://shop.test/").await.status, 203);
    live.replace(&Wat::answering(204).bytes());
    let changes = proxy.reload().await.expect("a good configuration");
    assert_eq!((changes.unchanged, changes.released), (1, vec!["shop".to_owned()]));
}

/// After a rollback, the version stays live whatever changes in the configuration.
#[tokio::test]
async fn rolled_back_module_stays_rolled_back_after_a_reload() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(tenant(&live)).proxy("watch = false").start().await;
    live.replace(&Wat::answering(202).bytes());
    proxy.reload().await.expect("a good configuration");
    let control = proxy.control();
    control.publisher.roll_back(&control.tenants()["shop"], None).expect("a previous version");
    let text = std::fs::read_to_string(proxy.config_file()).expect("the configuration");
    std::fs::write(proxy.config_file(), format!("{text}[tenant.limits]\nhandles = 10\n")).expect("written");
    assert_eq!(proxy.reload().await.expect("a good configuration").changed, ["shop"]);
    assert_eq!(proxy.get("http://shop.test/").await.status, 201);
}

#[tokio::test]
async fn built_modules_are_cached_and_used_only_if_the_files_are_ours() {
    use std::os::unix::fs::PermissionsExt as _;
    let (live, cache) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let folder = cache.path().join("built");
    let start = async || Proxy::with(tenant(&live)).proxy(&format!("cache_dir = {folder:?}")).try_start().await;
    let built = || {
        let entries = std::fs::read_dir(&folder).expect("the cache");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    start().await.expect("a start").stop().await;
    let [file] = &built()[..] else { panic!("{:?}", built()) };
    let kept = std::fs::read(file).expect("an artefact");
    let marked = std::fs::metadata(file).expect("its age").modified().expect("its age");

    // Used again: it is not written, only its modification time is set.
    start().await.expect("a start").stop().await;
    assert!(std::fs::metadata(file).expect("its age").modified().expect("its age") > marked);

    let (mut other_form, mut damaged) = (kept.clone(), kept.clone());
    *other_form.last_mut().expect("bytes") ^= 1;
    *damaged.first_mut().expect("bytes") ^= 1;
    for bytes in [&other_form[..], &damaged, &kept[..kept.len() / 2], b"", b"pointsman-mod-1\n"] {
        std::fs::write(file, bytes).expect("written");
        let proxy = start().await.expect("a start");
        assert_eq!(proxy.get("http://shop.test/").await.status, 201);
        proxy.stop().await;
        assert_eq!(std::fs::read(file).expect("an artefact").len(), kept.len(), "it was built again");
    }
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    start().await.expect("a start").stop().await;
    let mode = std::fs::metadata(file).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a file that others could write was replaced");

    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let error = start().await.err().expect("a refusal to start");
    assert!(error.contains("others may use it (mode 755)") && error.contains("chmod 700 it"), "{error}");
}
