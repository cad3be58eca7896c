//! `conformance`: checks that a module does the routing job in README.md.

#![forbid(unsafe_code)]

mod case;
mod dice;
mod echo;
mod parts;
mod peer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser;
use pointsman_rules::config::{Limits, TenantLimits};
use pointsman_wasm::call::{CallError, CallReport, decide};
use pointsman_wasm::module::{Loader, Module};
use pointsman_wasm::state::Call;

use crate::case::{CONFIG, Case, Expected};
use crate::dice::Dice;

/// Sends a module 1,000 requests with known answers, and then many more.
#[derive(Debug, Parser)]
struct Arguments {
    /// Modules that implement the job of tests/conformance/README.md
    #[arg(required = true, value_name = "MODULE")]
    modules: Vec<PathBuf>,
    /// Number of decisions in fresh instances, and again in one reused instance
    #[arg(long, default_value_t = 100_000)]
    decisions: usize,
    /// Bytes by which the memory of the reused instance may grow with each decision
    #[arg(long, default_value_t = 0)]
    may_grow: usize,
    /// Maximum number of wrong answers to print for each module
    #[arg(long, default_value_t = 3)]
    show: usize,
}

const CASES: usize = 1_000;

/// Number of decisions of a module that may be repeated after they ran over budget: a machine that stalls is not the
/// module's fault, and it seldom happens.
const STALLS: u32 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cases = cases();
    let mut passed = true;
    for path in &arguments.modules {
        if let Err(error) = examine(path, &cases, &arguments) {
            println!("{}: {error:#}", path.display());
            passed = false;
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cases() -> Vec<Case> {
    type Part = fn(&mut Dice) -> Case;
    const PARTS: [(usize, Part); 13] = [
        (400, peer::case),
        (200, echo::case),
        (50, parts::attempts),
        (30, parts::failover),
        (60, parts::canary),
        (40, parts::hash),
        (40, parts::config),
        (50, parts::shared),
        (20, parts::upstreams),
        (20, parts::log),
        (40, parts::respond),
        (20, parts::error),
        (30, parts::plainest),
    ];
    let mut dice = Dice::new(1);
    let mut cases: Vec<Case> = Vec::with_capacity(CASES);
    for (many, part) in PARTS {
        cases.extend((0..many).map(|_| part(&mut dice)));
    }
    assert_eq!(cases.len(), CASES);
    dice.shuffle(&mut cases);
    cases
}

fn examine(path: &std::path::Path, cases: &[Case], arguments: &Arguments) -> anyhow::Result<()> {
    let of_all = TenantLimits::default();
    let loader = Loader::new(1, 1)?;
    let config: serde_json::Value = serde_json::from_str(CONFIG)?;
    let start = Instant::now();
    let module = loader.load_file(path, config, &of_all).context("it cannot be loaded")?;
    let limits = of_all.of(module.class());
    let (load, mut stalls) = (start.elapsed(), STALLS);

    let wrong: Vec<(&Case, Expected)> = cases
        .iter()
        .filter_map(|case| {
            Some((case, answer(&module, case, limits, &mut stalls).0))
                .filter(|(_, answer)| !case.expected.is_met_by(answer))
        })
        .collect();
    let name = path.display();
    println!("{name}: {} of {CASES} as expected; loaded in {load:.1?}", CASES - wrong.len());
    for (case, answer) in wrong.iter().take(arguments.show) {
        let head = &case.inputs.head;
        let (method, target) = (head.method(), head.path());
        println!("  {method} {target}{}", head.query().map(|query| format!("?{query}")).unwrap_or_default());
        for (name, value) in head.headers() {
            println!("    {name}: {:?}", String::from_utf8_lossy(value.as_bytes()));
        }
        println!("  expected: {:?}  found: {answer:?}", case.expected);
    }
    ensure!(wrong.is_empty(), "{} answers are wrong", wrong.len());

    let refused = loader.load_file(path, serde_json::json!({"refuse": 1}), &of_all);
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("refused as told"), "its `configure` does not refuse {{\"refuse\":1}}: {refused}");

    let all: Vec<&Case> = cases.iter().collect();
    many(&module, &all, limits, &mut stalls, (arguments.decisions, 0), "fresh")?;
    // After an error an instance is discarded, and this one has to last.
    let answered: Vec<&Case> = all.into_iter().filter(|case| case.expected.answer.is_ok()).collect();
    let calls = u32::try_from(arguments.decisions).unwrap_or(u32::MAX).saturating_add(1);
    let reused = module.with_instance_calls(calls);
    reused.keep_instances(true);
    many(&reused, &answered, limits, &mut stalls, (arguments.decisions, arguments.may_grow), "reused")
}

/// Makes this number of calls. Memory may grow until a runtime has what it needs, but no longer in the second half: a
/// collector that works in bursts may still reach a peak that is a sixteenth higher.
fn many(
    module: &Module,
    cases: &[&Case],
    limits: &Limits,
    stalls: &mut u32,
    (decisions, may_grow): (usize, usize),
    how: &str,
) -> anyhow::Result<()> {
    let (mut peaks, mut time) = ([0, 0], Duration::ZERO);
    for (turn, case) in cases.iter().cycle().take(decisions).enumerate() {
        let (found, decided) = answer(module, case, limits, stalls);
        ensure!(
            case.expected.is_met_by(&found),
            "{how}, decision {turn}: expected {:?}, found {found:?}",
            case.expected
        );
        let half = usize::from(turn >= decisions / 2);
        peaks[half] = decided.memory_bytes.max(peaks[half]);
        time += decided.elapsed;
    }
    let kib = |bytes: usize| bytes / 1024;
    ensure!(
        peaks[1] <= peaks[0] + peaks[0] / 16 + may_grow * decisions / 2,
        "{how}: memory grew from {} to {} KiB",
        kib(peaks[0]),
        kib(peaks[1])
    );
    let mean = time.checked_div(u32::try_from(decisions)?).unwrap_or_default();
    println!("  {decisions} decisions, {how}: {mean:.1?} each, at most {} KiB of memory", kib(peaks[0].max(peaks[1])));
    Ok(())
}

/// The answer of a module, which is called again as long as `stalls` are left.
fn answer(module: &Module, case: &Case, limits: &Limits, stalls: &mut u32) -> (Expected, CallReport) {
    let call = || {
        let (stores, _in_flight) = case::stores();
        decide(module.callee(), Call { inputs: &case.inputs, stores: Some(&stores), limits })
    };
    let (mut answer, mut decided) = call();
    while let Err(error @ CallError::Budget { .. }) = &answer
        && *stalls > 0
    {
        println!("  {error}: repeated");
        *stalls -= 1;
        (answer, decided) = call();
    }
    let answer = answer.map_err(|error| match error {
        CallError::Declined(reason) => reason,
        error => format!("(no answer: {error})"),
    });
    let log = std::mem::take(&mut decided.lines).into_iter().map(|line| (line.level, line.message)).collect();
    (Expected { answer, log }, decided)
}
