//! Decisions of rewound instances equal those of fresh ones, whatever a module writes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pointsman_rules::config::TenantLimits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_wasm::call::decide;
use pointsman_wasm::module::{Loader, Module};
use pointsman_wasm::state::Call;
use pointsman_wasm::testing::{Step, stateful_router};

static LOADER: LazyLock<Loader> = LazyLock::new(|| Loader::new(1, 0).expect("a loader"));

fuzz_target!(|data: &[u8]| {
    let (lengths, steps) = data.split_at(data.len().min(16));
    let steps: Vec<Step> = steps.chunks_exact(4).take(32).map(|step| Step([step[0], step[1], step[2], step[3]])).collect();
    let component = stateful_router(&steps).expect("any steps make a module");
    let module = LOADER.load(&component, serde_json::Value::Null, &TenantLimits::default()).expect("it is a router");
    let fresh = module.clone().without_rewinding();
    // Each path many times in a row, so that pages are write-protected.
    for length in lengths.iter().flat_map(|length| [usize::from(*length) % 16; 40]) {
        let path = format!("/{}", "a".repeat(length));
        assert_eq!(answer(&module, &path), answer(&fresh, &path));
    }
});

fn answer(module: &Module, path: &str) -> String {
    let inputs = Inputs::try_from(&WrittenRequest::get(&format!("http://a.test{path}"))).expect("a request");
    let limits = TenantLimits::default();
    let call = Call { inputs: &inputs, stores: None, limits: limits.of(module.class()) };
    format!("{:?}", decide(module.callee(), call).0)
}
