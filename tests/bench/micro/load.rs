//! Loading a module, from its bytes to one that can be called.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use pointsman_rules::config::TenantLimits;
use pointsman_wasm::module::{Loader, Module};

use crate::modules::{self, BuiltModule};

fn loaded(loader: &Loader, built: &BuiltModule) -> Module {
    loader.load(&built.bytes, built.settings.clone(), &TenantLimits::default()).expect("it loads")
}

/// Small enough to be compiled many times.
fn small() -> impl Iterator<Item = BuiltModule> {
    modules::all().into_iter().filter(|built| built.bytes.len() < 1024 * 1024)
}

/// A module that another tenant uses too.
pub fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    for built in small() {
        let loader = Loader::new(1, 0).expect("an engine");
        let _first = loaded(&loader, &built);
        group.bench_function(&built.name, |bencher| bencher.iter(|| black_box(loaded(&loader, &built))));
    }
}

/// A module that is loaded for the first time, built in this process.
pub fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for built in small() {
        let loader = Loader::new(1, 0).expect("an engine");
        group.bench_function(&built.name, |bencher| bencher.iter(|| black_box(loaded(&loader, &built))));
    }
}

/// A module that was built by an earlier process.
pub fn from_cache(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache load");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for built in modules::all() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = folder.path().join("kept");
        let loader = Loader::new(1, 0).expect("an engine").with_cache(&kept, u64::MAX).expect("a cache");
        drop(loaded(&loader, &built));
        group.bench_function(&built.name, |bencher| bencher.iter(|| black_box(loaded(&loader, &built))));
    }
}
