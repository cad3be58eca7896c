//! One decision, from the request head to the module's answer.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use pointsman_rules::check::Verdict;
use pointsman_rules::config::Quota;
use pointsman_rules::decision_cache::{DecisionCache, Root, Uncacheable};
use pointsman_wasm::module::Module;

use crate::around::{checked, policy};
use crate::modules::{self, BuiltModule, Setup};

/// More than the processor caches of any machine that this may run on, in bytes.
const LARGEST_CACHE: usize = 128 << 20;

/// Each in a fresh instance, which is rewound where possible.
pub fn fresh(criterion: &mut Criterion) {
    decisions(criterion, "decision/fresh", |module| module);
}

/// Each in a new instance.
pub fn new(criterion: &mut Criterion) {
    decisions(criterion, "decision/new", Module::without_rewinding);
}

/// All in the same instance.
pub fn reused(criterion: &mut Criterion) {
    decisions(criterion, "decision/reused", |module| module.with_instance_calls(1_000_000_000));
}

/// From the decision cache: the module is not called.
pub fn cached(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision/cached");
    for built in modules::all() {
        let setup = Setup::new(&modules::loader(), &built, |module| module);
        match filled_cache(&setup) {
            Ok(cache) => {
                let (root, inputs) = (setup.module.root(), &setup.inputs);
                group.bench_function(&built.name, |bencher| bencher.iter(|| cache.lookup(root, black_box(inputs))));
            }
            Err(reason) => eprintln!("{}: not cacheable ({})", built.name, reason.name()),
        }
    }
}

/// With the answer of this module.
fn filled_cache(setup: &Setup) -> Result<DecisionCache, Uncacheable> {
    let cache = DecisionCache::new(&Quota::default());
    let (answer, report) = setup.call_module();
    let answer = Verdict::Connect(checked(answer)).into();
    cache.insert(setup.module.root(), &setup.inputs, report.observed(), &answer)?;
    Ok(cache)
}

/// As for a tenant with few requests: other work has used the processor's caches since its last decision.
pub fn cold(criterion: &mut Criterion) {
    let Some(usual) = modules::usual() else { return };
    let mut group = criterion.benchmark_group("decision/cold");
    group.sample_size(20);
    let others = vec![1_u64; LARGEST_CACHE / size_of::<u64>()];
    let other_work = || black_box(others.iter().sum::<u64>());
    let policy = policy();
    let mut decided = |name: &str, instances: fn(Module) -> Module| {
        let setup = Setup::new(&modules::loader(), &usual, instances);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(other_work, |_| setup.decide(&policy), BatchSize::PerIteration);
        });
    };
    decided("fresh", |module| module);
    decided("new", Module::without_rewinding);
    decided("reused", |module| module.with_instance_calls(1_000_000_000));
    let setup = Setup::new(&modules::loader(), &usual, |module| module);
    let cache = filled_cache(&setup).expect("a cacheable decision");
    let (root, inputs) = (setup.module.root(), &setup.inputs);
    group.bench_function("cached", |bencher| {
        bencher.iter_batched(other_work, |_| cache.lookup(root, black_box(inputs)), BatchSize::PerIteration);
    });
}

/// From the decision cache, for tenants one after the other, each with its own cache.
pub fn cached_among(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision/cached among");
    let Some(usual) = modules::usual() else { return };
    let setup = Setup::new(&modules::loader(), &usual, |module| module);
    let (answer, report) = setup.call_module();
    let answer = Verdict::Connect(checked(answer)).into();
    for count in [1_usize, 1_000, 10_000] {
        let tenants: Vec<(Arc<Root>, DecisionCache)> = (0..count)
            .map(|_| {
                let (root, cache) = (Arc::<Root>::default(), DecisionCache::new(&Quota::default()));
                cache.insert(&root, &setup.inputs, report.observed(), &answer).expect("a cacheable decision");
                (root, cache)
            })
            .collect();
        let mut turn = tenants.iter().cycle();
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                let (root, cache) = turn.next().expect("endless");
                cache.lookup(root, black_box(&setup.inputs))
            });
        });
    }
}

fn decisions(criterion: &mut Criterion, name: &str, instances: fn(Module) -> Module) {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for built in modules::all().into_iter().chain(modules::least()) {
        let loader = modules::loader();
        let setup = Setup::new(&loader, &built, instances);
        let policy = policy();
        group.bench_function(&built.name, |bencher| bencher.iter(|| setup.decide(&policy)));
    }
}

/// The modules of many tenants one after the other, all different, as in a proxy with many tenants.
pub fn rotation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision/rotation");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let Some(usual) = modules::usual() else { return };
    for count in [1_usize, 10, 100, 1_000] {
        let loader = modules::loader();
        let setup: Vec<Setup> =
            (0..count).map(|number| Setup::new(&loader, &distinct(&usual, number), |module| module)).collect();
        let (mut turn, policy) = (setup.iter().cycle(), policy());
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| turn.next().expect("endless").decide(&policy));
        });
    }
}

/// The same module as a different file, so that nothing of it is shared: its custom section differs.
fn distinct(built: &BuiltModule, number: usize) -> BuiltModule {
    let section = [&[0, 10, 1, b'n'], number.to_le_bytes().as_slice()].concat();
    let bytes = [built.bytes.as_slice(), &section].concat();
    BuiltModule { name: built.name.clone(), bytes, settings: built.settings.clone() }
}
