//! Any bytes are a module or are refused; a module that loads is called once, and ends within its limits.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use pointsman_rules::config::Limits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{Arrival, RequestHead};
use pointsman_rules::stores::{SharedStore, Stores, Upstreams};
use pointsman_wasm::call::decide;
use pointsman_wasm::module::Loader;
use pointsman_wasm::state::Call;

static LOADER: LazyLock<Loader> = LazyLock::new(|| Loader::new(1, 0).expect("a loader"));

fuzz_target!(|data: &[u8]| {
    let limits = Limits { decision: Duration::from_millis(5), ..Limits::default() };
    let module = match LOADER.load(data, serde_json::json!({"address": "203.0.113.7:80"}), &limits.clone().into()) {
        Ok(module) => module,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let head = RequestHead::new(Arrival {
        method: Method::GET,
        target: b"/".to_vec(),
        authority: "shop.example".to_owned(),
        headers: HeaderMap::new(),
        client_ip: None,
        listener: "web".into(),
        tls: None,
    });
    let (shared, upstreams) = (Arc::new(SharedStore::new(10_000)), Arc::new(Upstreams::new(10, Instant::now())));
    let stores = Arc::new(Stores { shared, upstreams, groups: Vec::new() });
    let call = Call { inputs: &Inputs::first(Arc::new(head)), stores: Some(&stores), limits: &limits };
    let (_, decided) = decide(module.callee(), call);
    assert!(decided.memory_bytes <= limits.memory_bytes);
});
