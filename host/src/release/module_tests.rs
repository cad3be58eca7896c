//! A tenant's own tests: requests, and the decisions that its modules must make. They are in a file next to the
//! module; a version that fails one does not go live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::stores::Stores;
use pointsman_rules::text::printable;
use pointsman_system::read_file::{ReadError, read_at_most};
use pointsman_wasm::module::{Digest, Module};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::evaluate::{Question, evaluate};
use crate::outcome::Outcome;
use crate::release::difference::{Difference, differences};
use crate::tenant::Tenant;

/// One of a file's tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    request: WrittenRequest,
    /// The `outcome` that `pointsman decide` prints, or part of it.
    expect: Map<String, Value>,
}

/// The result of one test.
#[derive(Debug)]
pub struct TestResult {
    pub name: String,
    /// Why it failed, a line for each reason. Empty if it passed.
    pub problems: Vec<String>,
    pub elapsed: Duration,
}

/// Tests that failed or could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("`{path}` cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` has {size} bytes; a file of tests may have {limit} at most")]
    TooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("`{path}` is not a list of tests: {message}; see docs/reload.md")]
    Form { path: PathBuf, message: String },
    #[error("`{path}`: {}{}", failed.join("; "), more(.others))]
    Failed { path: PathBuf, failed: Vec<String>, others: usize },
    #[error("`{path}`: after {done} tests {} s are over: use fewer tests", LONGEST.as_secs())]
    Time { path: PathBuf, done: usize },
}

fn more(others: &usize) -> String {
    if *others > 0 { format!("; {others} more failed") } else { String::new() }
}

/// Failed tests that an error names; the number of the others follows.
const NAMED: usize = 10;

/// Bytes of a failed test's problems that an error shows.
const LONGEST_PROBLEMS: usize = 2000;

/// Maximum size of a test file, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Maximum time for all tests of a file, since they run next to live traffic.
const LONGEST: Duration = Duration::from_secs(10);

/// The path of a module's test file: `router.tests.json` for `router.wasm`.
pub fn tests_beside(module: &Path) -> PathBuf {
    module.with_extension("tests.json")
}

/// The content of a test file.
#[derive(Debug)]
pub struct Tests {
    path: PathBuf,
    text: Vec<u8>,
}

impl Tests {
    /// Reads the tests of a module, if there are any.
    pub fn beside(module: &Path) -> Result<Option<Tests>, TestError> {
        let path = tests_beside(module);
        match read_at_most(&path, LARGEST) {
            Ok(text) => Ok(Some(Tests { path, text })),
            Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(ReadError::Io(source)) => Err(TestError::Read { path, source }),
            Err(ReadError::TooLarge { size }) => Err(TestError::TooLarge { path, size, limit: LARGEST }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }

    /// Number of tests in the file.
    pub fn count(&self) -> Result<usize, TestError> {
        self.parse().map(|tests| tests.len())
    }

    fn parse(&self) -> Result<Vec<Test>, TestError> {
        let wrong = |message: String| TestError::Form { path: self.path.clone(), message };
        let tests: Vec<Test> = serde_json::from_slice(&self.text).map_err(|error| wrong(error.to_string()))?;
        match tests.iter().find(|test| test.expect.is_empty()) {
            None => Ok(tests),
            Some(Test { name, .. }) => Err(wrong(format!(
                "test `{name}` has an empty `expect`, which any outcome meets: name a part of the outcome"
            ))),
        }
    }

    /// The requests of the first `most` tests. Empty if the file is not a list of tests: running the tests reports
    /// that.
    pub fn requests(&self, most: usize) -> Vec<WrittenRequest> {
        self.parse().unwrap_or_default().into_iter().take(most).map(|test| test.request).collect()
    }
}

/// Runs the tests of one file and returns how many there were.
pub fn run(tests: &Tests, tenant: &Tenant, modules: &[Module]) -> Result<usize, TestError> {
    let (mut done, mut failed, mut others) = (0_usize, Vec::new(), 0_usize);
    run_each(
        tests,
        tenant,
        modules,
        |_| true,
        |result| {
            done = done.saturating_add(1);
            if result.problems.is_empty() {
                return;
            }
            if failed.len() < NAMED {
                let problems = printable(&result.problems.join(", and "), LONGEST_PROBLEMS).0;
                failed.push(format!("test `{}`: {problems}", result.name));
            } else {
                others = others.saturating_add(1);
            }
        },
    )?;
    if failed.is_empty() { Ok(done) } else { Err(TestError::Failed { path: tests.path.clone(), failed, others }) }
}

/// Runs the tests of one file whose names are `chosen`, and passes on the result of each.
pub fn run_each(
    tests: &Tests,
    tenant: &Tenant,
    modules: &[Module],
    chosen: impl Fn(&str) -> bool,
    mut on_result: impl FnMut(TestResult),
) -> Result<(), TestError> {
    let (stores, start) = (tenant.stores.to_try_out(&tenant.config.quota), Instant::now());
    for (done, test) in tests.parse()?.iter().filter(|test| chosen(&test.name)).enumerate() {
        if start.elapsed() > LONGEST {
            return Err(TestError::Time { path: tests.path.clone(), done });
        }
        on_result(one(test, tenant, modules, &stores));
    }
    Ok(())
}

fn one(test: &Test, tenant: &Tenant, modules: &[Module], stores: &Arc<Stores>) -> TestResult {
    let (name, start) = (test.name.clone(), Instant::now());
    let inputs = match Inputs::try_from(&test.request) {
        Ok(inputs) => inputs,
        Err(error) => {
            return TestResult { name, problems: vec![error.to_string()], elapsed: start.elapsed() };
        }
    };
    let terms = tenant.terms();
    let (action, _) = evaluate(Question { tenant, modules, stores, terms: &terms, cache: None }, &inputs);
    let elapsed = start.elapsed();
    let outcome = Outcome::new(&action, &tenant.config.failure.answer).json();
    let problems = differences(&test.expect, &outcome).iter().map(Difference::to_string).collect();
    TestResult { name, problems, elapsed }
}
