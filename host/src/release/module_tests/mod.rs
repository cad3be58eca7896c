//! A tenant's own tests: requests, and the decisions that its modules must make. They are in a file next to the
//! module; a version that fails one does not go live.

mod given;
mod update;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::stores::Stores;
use pointsman_rules::text::{chain, printable};
use pointsman_system::read_file::{ReadError, read_at_most};
use pointsman_wasm::module::{Digest, LoadError, Module};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::evaluate::{Question, evaluate};
use crate::outcome::Outcome;
use crate::release::difference::{Difference, differences};
use crate::release::module_tests::given::Given;
use crate::tenant::Tenant;

/// One of a file's tests, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest<'a> {
    name: String,
    request: WrittenRequest,
    #[serde(default)]
    given: Given,
    /// Borrowed from the file's text, so that its place there is known.
    #[serde(borrow)]
    expect: &'a RawValue,
}

/// One of a file's tests.
#[derive(Debug)]
struct Test<'a> {
    name: String,
    request: WrittenRequest,
    given: Given,
    /// The `outcome` that `pointsman decide` prints, or part of it.
    expect: Map<String, Value>,
    /// The text of `expect` in the file.
    written: &'a str,
}

/// The modules that tests run on.
pub struct TestedVersion<'a> {
    pub tenant: &'a Tenant,
    pub modules: &'a [Module],
    /// The index of the module that the tests belong to.
    pub position: usize,
    /// Loads this module with another configuration, which a test gives.
    pub reconfigure: &'a dyn Fn(&Module, &Value) -> Result<Module, LoadError>,
}

/// The result of one test.
#[derive(Debug)]
pub struct TestResult {
    /// Its index in the file.
    pub index: usize,
    pub name: String,
    /// Why it failed, a line for each reason. Empty if it passed.
    pub problems: Vec<String>,
    pub elapsed: Duration,
    /// The outcome. None: the test cannot be run.
    pub outcome: Option<Value>,
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

    fn parse(&self) -> Result<Vec<Test<'_>>, TestError> {
        let wrong = |message: String| TestError::Form { path: self.path.clone(), message };
        let written: Vec<WrittenTest<'_>> =
            serde_json::from_slice(&self.text).map_err(|error| wrong(error.to_string()))?;
        let mut tests = Vec::new();
        for WrittenTest { name, request, given, expect } in written {
            match serde_json::from_str::<Map<String, Value>>(expect.get()) {
                Ok(named) if named.is_empty() => {
                    return Err(wrong(format!(
                        "test `{name}` has an empty `expect`, which any outcome meets: name a part of the outcome"
                    )));
                }
                Ok(named) => tests.push(Test { name, request, given, expect: named, written: expect.get() }),
                Err(_) => return Err(wrong(format!("test `{name}`: `expect` is not an object"))),
            }
        }
        Ok(tests)
    }

    /// The requests of the first `most` tests of the tenant's own configuration. Empty if the file is not a list of
    /// tests: running the tests reports that.
    pub fn requests(&self, most: usize) -> Vec<WrittenRequest> {
        let tests = self.parse().unwrap_or_default().into_iter().filter(|test| test.given.config.is_none());
        tests.take(most).map(|test| test.request).collect()
    }
}

/// Runs the tests of one file and returns how many there were.
pub fn run(tests: &Tests, version: &TestedVersion<'_>) -> Result<usize, TestError> {
    let (mut done, mut failed, mut others) = (0_usize, Vec::new(), 0_usize);
    run_each(
        tests,
        version,
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
    version: &TestedVersion<'_>,
    chosen: impl Fn(&str) -> bool,
    mut on_result: impl FnMut(TestResult),
) -> Result<(), TestError> {
    let tenant = version.tenant;
    let (stores, start) = (tenant.stores.to_try_out(&tenant.config.quota), Instant::now());
    let all = tests.parse()?;
    for (done, (index, test)) in all.iter().enumerate().filter(|(_, test)| chosen(&test.name)).enumerate() {
        if start.elapsed() > LONGEST {
            return Err(TestError::Time { path: tests.path.clone(), done });
        }
        let start = Instant::now();
        let (problems, outcome) = match outcome(test, version, &stores) {
            Ok(outcome) => {
                let differences = differences(&test.expect, &outcome);
                (differences.iter().map(Difference::to_string).collect(), Some(outcome))
            }
            Err(problem) => (vec![problem], None),
        };
        on_result(TestResult { index, name: test.name.clone(), problems, elapsed: start.elapsed(), outcome });
    }
    Ok(())
}

/// The outcome of a test's request, or why there can be none.
fn outcome(test: &Test<'_>, version: &TestedVersion<'_>, common: &Arc<Stores>) -> Result<Value, String> {
    let TestedVersion { tenant, modules, position, reconfigure } = *version;
    let moment = test.given.moment().map_err(|error| error.to_string())?;
    let inputs = Inputs::try_from(&test.request).map_err(|error| error.to_string())?.at(moment);
    let stores = test.given.stores(common, &tenant.config.quota).map_err(|error| error.to_string())?;
    let mut modules = Cow::Borrowed(modules);
    if let Some(config) = &test.given.config
        && let Some(module) = modules.to_mut().get_mut(position)
    {
        *module = reconfigure(module, config).map_err(|error| format!("`given.config`: {}", chain(&error)))?;
    }
    let terms = tenant.terms();
    let question = Question { tenant, modules: &modules, stores: &stores, terms: &terms, cache: None };
    let (action, _) = evaluate(question, &inputs);
    Ok(Outcome::new(&action, &tenant.config.failure.answer).json())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;
    use crate::release::module_tests::given::GivenUpstream;

    const SCHEMA: &str = include_str!("../../../../docs/schemas/router.tests.schema.json");

    /// The names that a type knows, as its error about another one lists them.
    fn known<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
        let error = serde_json::from_value::<T>(json!({"?": 0})).unwrap_err().to_string();
        error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    /// The names that the schema at this pointer has, and those that it requires.
    fn described(pointer: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let object = schema.pointer(pointer).unwrap();
        assert_eq!(object["additionalProperties"], false, "{pointer}");
        let required = object["required"].as_array().into_iter().flatten();
        (
            object["properties"].as_object().unwrap().keys().cloned().collect(),
            required.map(|name| name.as_str().unwrap().to_owned()).collect(),
        )
    }

    fn required(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn schema_has_the_names_that_are_read() {
        let test = serde_json::from_str::<WrittenTest<'_>>(r#"{"?": 0}"#).unwrap_err().to_string();
        let test: BTreeSet<String> = test.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert_eq!(described("/items"), (test, required(&["name", "request", "expect"])));
        let at = |path: &str| described(&format!("/items/properties/{path}"));
        assert_eq!(at("request"), (known::<WrittenRequest>(), required(&["url"])));
        assert_eq!(at("given"), (known::<Given>(), required(&[])));
        assert_eq!(at("given/properties/upstreams/items"), (known::<GivenUpstream>(), required(&["address"])));
    }
}
