//! Makes decisions and times them.

use std::time::{Duration, Instant};

use pointsman_rules::decision_cache::DecisionCache;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::reads::Source;
use pointsman_wasm::call::{CallReport, InstanceOrigin};
use pointsman_wasm::module::{Module, Rewinding};
use pointsman_wasm::state::thread_cpu_time;
use serde::Serialize;

use crate::cli::offline::OfflineTenant;
use crate::evaluate::{Evaluation, Question, Step};
use crate::tenant::Tenant;

/// A way in which a proxy makes a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    New,
    Rewound,
    Reused,
    Cached,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::New => "new",
            Way::Rewound => "rewound",
            Way::Reused => "reused",
            Way::Cached => "cached",
        }
    }
}

/// The measurements of one tenant.
pub struct Measured {
    pub ways: Vec<(Way, Timed)>,
    /// Of all ways in which modules are called.
    pub most: Usage,
    /// CPU time of decisions in new instances, in order: the most expensive way.
    pub cpu: Vec<Duration>,
    pub pages: Vec<Option<usize>>,
}

/// The times of decisions, or why they cannot be made in this way.
pub enum Timed {
    Decisions { sorted: Vec<Duration>, failed: usize },
    Impossible(String),
}

/// Most that a decision used of what its limits bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub memory_bytes: usize,
    pub host_calls: usize,
    pub log_bytes: usize,
}

/// Decisions before the measurement, in each way: until pages are known and write-protected, and caches are filled.
const WARM_UP: u32 = 200;

/// Rounds into which the decisions are divided; tenants and ways take turns in each, so that all see the same machine.
const ROUNDS: u32 = 10;

/// An instance that keeps its state decides this often.
const CALLS: u32 = 1_000_000;

const WAYS: [Way; 4] = [Way::New, Way::Rewound, Way::Reused, Way::Cached];

/// One tenant and one way.
struct Run<'a> {
    way: Way,
    tenant: Tenant,
    modules: Vec<Module>,
    cache: DecisionCache,
    requests: &'a [Inputs],
    next: usize,
    times: Vec<Duration>,
    cpu: Vec<Duration>,
    failed: usize,
    most: Usage,
    /// Why a decision was not cached.
    uncacheable: Option<String>,
}

/// Measures tenants in turns. The inner error is for the user.
pub fn measure(
    tenants: &[OfflineTenant],
    requests: &[Inputs],
    decisions: u32,
) -> anyhow::Result<Result<Vec<Measured>, String>> {
    let mut runs = Vec::new();
    for (offline, way) in tenants.iter().flat_map(|offline| WAYS.map(|way| (offline, way))) {
        match Run::new(offline, way, requests)? {
            Ok(run) => runs.push(run),
            Err(problem) => return Ok(Err(problem)),
        }
    }
    for run in &mut runs {
        run.decide(WARM_UP);
        run.times.clear();
        run.cpu.clear();
        run.failed = 0;
    }
    for _ in 0..ROUNDS {
        for run in &mut runs {
            run.decide(decisions.div_ceil(ROUNDS));
        }
    }
    Ok(Ok(runs.chunks_mut(WAYS.len()).map(Measured::of).collect()))
}

impl Measured {
    /// The measurements of all runs of one tenant.
    fn of(runs: &mut [Run<'_>]) -> Measured {
        let mut measured = Measured { ways: Vec::new(), most: Usage::default(), cpu: Vec::new(), pages: Vec::new() };
        for run in runs {
            measured.most = measured.most.max(run.most);
            if run.way == Way::New {
                measured.cpu = std::mem::take(&mut run.cpu);
                measured.cpu.sort_unstable();
            }
            if run.way == Way::Rewound {
                measured.pages = run.modules.iter().map(Module::pages_written).collect();
            }
            measured.ways.push((run.way, run.timed()));
        }
        measured
    }
}

impl Usage {
    fn max(self, other: Usage) -> Usage {
        Usage {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            host_calls: self.host_calls.max(other.host_calls),
            log_bytes: self.log_bytes.max(other.log_bytes),
        }
    }

    fn of(report: &CallReport) -> Usage {
        let log_bytes = report.lines.iter().map(|line| line.message.len()).sum();
        Usage { memory_bytes: report.memory_bytes, host_calls: report.host_calls, log_bytes }
    }
}

impl<'a> Run<'a> {
    /// The inner error is for the user.
    fn new(offline: &OfflineTenant, way: Way, requests: &'a [Inputs]) -> anyhow::Result<Result<Run<'a>, String>> {
        let tenant = match offline.tenant()? {
            Ok(tenant) => tenant,
            Err(problem) => return Ok(Err(problem)),
        };
        let modules = offline.modules.iter().cloned().map(|module| match way {
            Way::New => module.without_rewinding(),
            Way::Reused => module.with_instance_calls(CALLS),
            Way::Rewound | Way::Cached => module,
        });
        Ok(Ok(Run {
            way,
            modules: modules.collect(),
            cache: DecisionCache::new(&tenant.config.quota),
            tenant,
            requests,
            next: 0,
            times: Vec::new(),
            cpu: Vec::new(),
            failed: 0,
            most: Usage::default(),
            uncacheable: None,
        }))
    }

    fn decide(&mut self, decisions: u32) {
        for _ in 0..decisions {
            let Some(inputs) = self.requests.get(self.next) else { return };
            self.next = self.next.saturating_add(1).checked_rem(self.requests.len()).unwrap_or_default();
            self.decide_one(inputs);
        }
    }

    fn decide_one(&mut self, inputs: &Inputs) {
        let terms = self.tenant.terms();
        let Run { tenant, modules, .. } = self;
        let cache = (self.way == Way::Cached).then_some(&self.cache);
        let mut evaluation =
            Evaluation::new(Question { tenant, modules, stores: &tenant.stores, terms: &terms, cache }, 0);
        let start = Instant::now();
        if self.way == Way::Cached && evaluation.cached(inputs).is_some() {
            self.times.push(start.elapsed());
            return;
        }
        // Around the time that is measured: reading this clock takes longer than some decisions.
        let cpu_before = thread_cpu_time();
        let start = Instant::now();
        let Step::Done(action) = evaluation.step(inputs);
        let elapsed = start.elapsed();
        let cpu = thread_cpu_time().saturating_sub(cpu_before);
        let calls = evaluation.take_calls();
        let origin = match self.way {
            Way::New => Some(InstanceOrigin::New),
            Way::Rewound => Some(InstanceOrigin::Rewound),
            Way::Reused => Some(InstanceOrigin::Reused),
            Way::Cached => None,
        };
        // Others are on the way there: the first decisions of an instance, and those that fill the cache.
        if calls.iter().all(|call| Some(call.report.instance) == origin) {
            self.times.push(elapsed);
            self.cpu.push(cpu);
            self.failed = self.failed.saturating_add(usize::from(action.is_err()));
        }
        for call in &calls {
            self.most = self.most.max(Usage::of(&call.report));
            if !call.report.lines.is_empty() {
                self.uncacheable = Some("it logs".to_owned());
            }
            let read = call.report.reads.list().iter().find(|read| !is_of_request(read.source()));
            if let Some(read) = read {
                self.uncacheable = Some(format!("it reads {read}"));
            }
        }
    }

    fn timed(&mut self) -> Timed {
        let mut sorted = std::mem::take(&mut self.times);
        sorted.sort_unstable();
        if !sorted.is_empty() {
            return Timed::Decisions { sorted, failed: self.failed };
        }
        let not_rewound = || {
            let reasons = self.modules.iter().find_map(|module| match module.rewinding() {
                Rewinding::Impossible { reason } => Some(reason.clone()),
                _ => None,
            });
            reasons.unwrap_or_else(|| {
                "the kernel does not report written pages, or each decision writes others".to_owned()
            })
        };
        Timed::Impossible(match self.way {
            Way::Rewound => not_rewound(),
            Way::Cached => {
                self.uncacheable.take().unwrap_or_else(|| "no decision is cached (see [tenant.quota])".to_owned())
            }
            Way::New | Way::Reused => "each decision failed before it had an instance".to_owned(),
        })
    }
}

fn is_of_request(source: Source) -> bool {
    match source {
        Source::Request | Source::Config => true,
        Source::Clock | Source::Random | Source::Shared | Source::Upstreams => false,
    }
}
