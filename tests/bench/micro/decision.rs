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
use crate::modules::{self, Asked, Known};

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
    for known in modules::all() {
        let asked = Asked::new(&modules::loader(), &known, |module| module);
        match remembered(&asked) {
            Ok(cache) => {
                let (root, head) = (asked.module.root(), &asked.head);
                group.bench_function(&known.name, |bencher| bencher.iter(|| cache.lookup(root, black_box(head))));
            }
            Err(unfit) => eprintln!("{}: not remembered ({})", known.name, unfit.name()),
        }
    }
}

/// With the answer of this module.
fn remembered(asked: &Asked) -> Result<DecisionCache, Uncacheable> {
    let cache = DecisionCache::new(&Quota::default());
    let (said, noted) = asked.decided();
    let answer = Verdict::Connect(checked(said)).into();
    cache.insert(asked.module.root(), &asked.head, noted.observed(), &answer)?;
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
        let asked = Asked::new(&modules::loader(), &usual, instances);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(other_work, |_| asked.decide(&policy), BatchSize::PerIteration);
        });
    };
    decided("fresh", |module| module);
    decided("new", Module::without_rewinding);
    decided("reused", |module| module.with_instance_calls(1_000_000_000));
    let asked = Asked::new(&modules::loader(), &usual, |module| module);
    let cache = remembered(&asked).expect("it depends on the request alone");
    let (root, head) = (asked.module.root(), &asked.head);
    group.bench_function("cached", |bencher| {
        bencher.iter_batched(other_work, |_| cache.lookup(root, black_box(head)), BatchSize::PerIteration);
    });
}

/// From the decision cache, for tenants one after the other, each with its own cache.
pub fn cached_among(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision/cached among");
    let Some(usual) = modules::usual() else { return };
    let asked = Asked::new(&modules::loader(), &usual, |module| module);
    let (said, noted) = asked.decided();
    let answer = Verdict::Connect(checked(said)).into();
    for count in [1_usize, 1_000, 10_000] {
        let tenants: Vec<(Arc<Root>, DecisionCache)> = (0..count)
            .map(|_| {
                let (root, cache) = (Arc::<Root>::default(), DecisionCache::new(&Quota::default()));
                cache.insert(&root, &asked.head, noted.observed(), &answer).expect("it depends on the request alone");
                (root, cache)
            })
            .collect();
        let mut turn = tenants.iter().cycle();
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                let (root, cache) = turn.next().expect("endless");
                cache.lookup(root, black_box(&asked.head))
            });
        });
    }
}

fn decisions(criterion: &mut Criterion, name: &str, instances: fn(Module) -> Module) {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for known in modules::all().into_iter().chain(modules::least()) {
        let loader = modules::loader();
        let asked = Asked::new(&loader, &known, instances);
        let policy = policy();
        group.bench_function(&known.name, |bencher| bencher.iter(|| asked.decide(&policy)));
    }
}

/// The modules of many tenants one after the other, all different, as in a proxy with many tenants.
pub fn rotation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision/rotation");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let Some(usual) = modules::usual() else { return };
    for count in [1_usize, 10, 100, 1_000] {
        let loader = modules::loader();
        let asked: Vec<Asked> =
            (0..count).map(|number| Asked::new(&loader, &distinct(&usual, number), |module| module)).collect();
        let (mut turn, policy) = (asked.iter().cycle(), policy());
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| turn.next().expect("endless").decide(&policy));
        });
    }
}

/// The same module as a different file, so that nothing of it is shared: its custom section differs.
fn distinct(known: &Known, number: usize) -> Known {
    let section = [&[0, 10, 1, b'n'], number.to_le_bytes().as_slice()].concat();
    let bytes = [known.bytes.as_slice(), &section].concat();
    Known { name: known.name.clone(), bytes, settings: known.settings.clone() }
}
