//! The report that `pointsman decide` prints.

use pointsman_rules::config::TenantConfig;
use pointsman_rules::inputs::Inputs;
use pointsman_wasm::module::{Rewinding, Warmth};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Failure;
use crate::evaluate::{Action, ModuleCall};
use crate::outcome::Outcome;

/// The report of a whole decision.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    tenant: &'a str,
    /// The modules that were called, in order; all but the last passed.
    #[serde(rename = "asked")]
    calls: Vec<CallRecord>,
    outcome: Outcome<'a>,
}

/// The part of one module.
#[derive(Debug, Serialize)]
pub struct CallRecord {
    module: String,
    sha256: String,
    /// Whether its instances start warm, if a warm-up was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    warmth: Option<Warmth>,
    /// Why each decision creates an instance, if its instances cannot be rewound.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewinding: Option<Rewinding>,
    reads: Vec<ReadRecord>,
    log: Vec<LogRecord>,
    /// `connect`, `respond`, `pass`, or the error if there is no answer.
    answered: String,
    microseconds: u64,
    memory_bytes: usize,
}

#[derive(Debug, Serialize)]
struct ReadRecord {
    read: String,
    saw: Value,
}

#[derive(Debug, Serialize)]
struct LogRecord {
    level: &'static str,
    message: String,
}

impl<'a> Report<'a> {
    pub fn new(config: &'a TenantConfig, calls: Vec<CallRecord>, action: &'a Result<Action, Failure>) -> Report<'a> {
        let outcome = Outcome::new(action, &config.failure.answer);
        Report { tenant: &config.name, calls, outcome }
    }
}

impl CallRecord {
    pub fn new(path: String, call: &ModuleCall<'_>, inputs: &Inputs) -> CallRecord {
        let ModuleCall { module, report, answer } = call;
        let answered = match (report.answer_kind, answer) {
            (Some(kind), _) => kind.to_owned(),
            (None, Err(failure)) => failure.to_string(),
            (None, Ok(_)) => String::new(),
        };
        let reads = report.reads.list().iter();
        let lines = report.lines.iter();
        CallRecord {
            module: path,
            sha256: module.digest().full(),
            warmth: Some(module.warmth()).filter(|warmth| **warmth != Warmth::NotWanted).cloned(),
            rewinding: Some(module.rewinding()).filter(|rewinding| **rewinding != Rewinding::Possible).cloned(),
            reads: reads
                .map(|read| ReadRecord { read: read.to_string(), saw: read.seen(inputs, module.settings()) })
                .collect(),
            log: lines.map(|line| LogRecord { level: line.level.name(), message: line.message.clone() }).collect(),
            answered,
            microseconds: u64::try_from(report.elapsed.as_micros()).unwrap_or(u64::MAX),
            memory_bytes: report.memory_bytes,
        }
    }
}
