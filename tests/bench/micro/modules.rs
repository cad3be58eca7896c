//! The modules that are called, as far as they have been built, and the request that they decide.

use std::path::PathBuf;
use std::sync::Arc;

use pointsman::evaluate::evaluate_module;
use pointsman_rules::check::Policy;
use pointsman_rules::checked::{CheckedDecision, RouteCache};
use pointsman_rules::config::{Quota, TenantLimits};
use pointsman_rules::contract;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{RequestHead, WrittenRequest};
use pointsman_tests::Wat;
use pointsman_tests::modules::repository;
use pointsman_wasm::call::{CallReport, decide};
use pointsman_wasm::module::{Loader, Module};
use pointsman_wasm::state::Call;
use serde_json::{Value, json};

/// A module, and the file in which it has been built.
pub struct BuiltModule {
    pub name: String,
    pub bytes: Vec<u8>,
    pub settings: Value,
}

/// The module of this folder in Rust, and `canary` in each language.
pub fn all() -> Vec<BuiltModule> {
    let languages = ["rust", "c", "cpp", "zig", "as", "go", "js", "ts", "python"];
    let canaries = languages.iter().filter_map(|language| {
        let path = match *language {
            "rust" => "modules/canary.wasm".to_owned(),
            _ => format!("languages/{language}-canary.wasm"),
        };
        built(format!("canary-{language}"), &path, canary())
    });
    usual().into_iter().chain(canaries).collect()
}

/// The module of this folder.
pub fn usual() -> Option<BuiltModule> {
    built("usual".to_owned(), "modules/bench-micro.wasm", Value::Null)
}

/// The minimum that a call costs: a module in WAT that answers with an address without reading anything, and one that
/// first reads the same as `usual`.
pub fn least() -> [BuiltModule; 2] {
    let answer = r#"(data (i32.const 2056) "\e8\03\00\00\0e\00\00\00") (data (i32.const 1000) "192.0.2.1:8080")"#;
    let reads = r#"
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (import "pointsman:router/request@0.1.0" "[method]request.path" (func $path (param i32 i32)))
        (import "pointsman:router/request@0.1.0" "[method]request.header-text" (func $header (param i32 i32 i32 i32)))
        (data (i32.const 600) "x-tenantcookie")
        (func (export "select-peer") (param $request i32) (result i32)
          (global.set $heap (i32.const 4096))
          (call $path (local.get $request) (i32.const 700))
          (call $header (local.get $request) (i32.const 600) (i32.const 8) (i32.const 700))
          (call $header (local.get $request) (i32.const 608) (i32.const 6) (i32.const 700))
          (call $drop (local.get $request))
          (i32.const 2048))"#;
    let built = |name: &str, wat: Wat| {
        let bytes = wat.with(answer).bytes();
        BuiltModule { name: name.to_owned(), bytes, settings: Value::Null }
    };
    [built("nothing", Wat::select_peer("(i32.const 2048)")), built("three reads", Wat::core(reads))]
}

fn canary() -> Value {
    json!({"stable": "192.0.2.1:8080", "canary": "192.0.2.2:8080", "percent": 10.0, "cookie": "session"})
}

fn built(name: String, path: &str, settings: Value) -> Option<BuiltModule> {
    let file = target().join(path);
    let Ok(bytes) = std::fs::read(&file) else {
        eprintln!("{name}: left out, since there is no {}: make modules, or tests/languages/run", file.display());
        return None;
    };
    Some(BuiltModule { name, bytes, settings })
}

fn target() -> PathBuf {
    repository().join("target")
}

/// A request as a browser sends it: twelve headers, 560 bytes.
pub fn head() -> Arc<RequestHead> {
    let headers = [
        ("host", "shop.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://shop.example/catalogue/shoes"),
        ("cookie", "theme=dark; session=5f3a9c1e7b2d4860; consent=1"),
        ("x-tenant", "north"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
        ("priority", "u=0, i"),
    ];
    let mut request = WrittenRequest::get("http://shop.example/api/cart/items?page=2");
    request.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Arc::new(request.head().expect("a request"))
}

/// An engine that caches its builds next to the modules: building JavaScript and Python takes a minute each time.
pub fn loader() -> Loader {
    let folder = target().join("tmp/bench-micro");
    Loader::new(1, 1).expect("an engine").with_cache(&folder, 1 << 30).expect("a cache")
}

/// The inputs of a decision.
pub struct Setup {
    pub module: Module,
    pub inputs: Inputs,
    limits: TenantLimits,
    routes: RouteCache,
}

impl Setup {
    pub fn new(loader: &Loader, built: &BuiltModule, instances: impl Fn(Module) -> Module) -> Setup {
        let limits = TenantLimits::default();
        let module = loader.load(&built.bytes, built.settings.clone(), &limits).expect("it loads");
        let routes = RouteCache::new(&Quota::default());
        let setup = Setup { module: instances(module), inputs: Inputs::first(head()), limits, routes };
        setup.call_module();
        setup
    }

    fn call(&self) -> Call<'_> {
        Call { inputs: &self.inputs, stores: None, limits: self.limits.of(self.module.class()) }
    }

    /// Calls the module and checks its answer, as in the proxy.
    pub fn decide(&self, policy: &Policy<'_>) -> CheckedDecision {
        evaluate_module(&self.module, self.call(), &self.routes, policy).0.expect("a valid decision")
    }

    /// The module's answer, and the facts that the host recorded.
    pub fn call_module(&self) -> (contract::Decision, CallReport) {
        let (answer, report) = decide(self.module.callee(), self.call());
        (answer.expect("a decision"), report)
    }
}
