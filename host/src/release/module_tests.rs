//! A tenant's own tests: requests, and the decisions that its modules must make. They are in a file next to the
//! module; a version that fails one does not go live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::stores::Stores;
use pointsman_system::read_file::{ReadError, read_at_most};
use pointsman_wasm::module::{Digest, Module};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::evaluate::{Question, evaluate};
use crate::outcome::Outcome;
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

/// Tests that failed or could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("`{path}` cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` has {size} bytes; a file of tests may have {limit} at most")]
    TooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("`{path}` is not a list of tests: {message}; see docs/reload.md")]
    Form { path: PathBuf, message: String },
    #[error("`{path}`: test `{name}`: {message}")]
    Request { path: PathBuf, name: String, message: String },
    #[error("`{path}`: test `{name}`: {message}{}", more(.others))]
    Failed { path: PathBuf, name: String, message: String, others: usize },
    #[error("`{path}`: after {done} tests {} s are over: use fewer tests", LONGEST.as_secs())]
    Time { path: PathBuf, done: usize },
}

fn more(others: &usize) -> String {
    if *others > 0 { format!("; {others} more failed") } else { String::new() }
}

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

    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }

    /// The requests of the first `most` tests. Empty if the file is not a list of tests: running the tests reports
    /// that.
    pub fn requests(&self, most: usize) -> Vec<WrittenRequest> {
        let tests: Vec<Test> = serde_json::from_slice(&self.text).unwrap_or_default();
        tests.into_iter().take(most).map(|test| test.request).collect()
    }
}

/// Runs the tests of one file and returns how many there were.
pub fn run(tests: &Tests, tenant: &Tenant, modules: &[Module]) -> Result<usize, TestError> {
    let path = &tests.path;
    let tests: Vec<Test> = serde_json::from_slice(&tests.text)
        .map_err(|error| TestError::Form { path: path.to_owned(), message: error.to_string() })?;
    let (stores, start) = (tenant.stores.to_try_out(&tenant.config.quota), Instant::now());
    let mut failed: Option<TestError> = None;
    let mut others: usize = 0;
    for (done, test) in tests.iter().enumerate() {
        if start.elapsed() > LONGEST {
            return Err(TestError::Time { path: path.to_owned(), done });
        }
        match one(path, test, tenant, modules, &stores) {
            Ok(()) => {}
            Err(_) if failed.is_some() => others = others.saturating_add(1),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => Ok(tests.len()),
        Some(TestError::Failed { path, name, message, .. }) => Err(TestError::Failed { path, name, message, others }),
        Some(error) => Err(error),
    }
}

fn one(path: &Path, test: &Test, tenant: &Tenant, modules: &[Module], stores: &Arc<Stores>) -> Result<(), TestError> {
    let wrong = |message: String| TestError::Request { path: path.to_owned(), name: test.name.clone(), message };
    let inputs = Inputs::try_from(&test.request).map_err(|error| wrong(error.to_string()))?;
    let terms = tenant.terms();
    let (action, _) = evaluate(Question { tenant, modules, stores, terms: &terms, cache: None }, &inputs);
    let found = Outcome::new(&action, &tenant.config.failure.answer).json();
    match difference("", &Value::Object(test.expect.clone()), &found) {
        None => Ok(()),
        Some((key, expected, found)) => Err(TestError::Failed {
            path: path.to_owned(),
            name: test.name.clone(),
            message: format!("`{key}` is {found}, expected {expected}"),
            others: 0,
        }),
    }
}

/// The first place where `found` lacks or contradicts part of `expected`: the key, the expected and the found value.
fn difference(key: &str, expected: &Value, found: &Value) -> Option<(String, String, String)> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().find_map(|(name, expected)| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let inner = match found.get(name) {
                Some(inner) => inner,
                // Reports the whole value: it says more than the name of the missing key would.
                None if !key.contains('.') => {
                    return Some((
                        name.clone(),
                        "there".to_owned(),
                        format!("missing; the outcome is {}", Value::Object(found.clone())),
                    ));
                }
                None => &Value::Null,
            };
            difference(&key, expected, inner)
        }),
        (expected, found) if expected == found => None,
        (expected, found) => Some((key.to_owned(), expected.to_string(), found.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: Value, found: Value, key: Option<&str>) {
        assert_eq!(difference("", &expected, &found).map(|(key, _, _)| key).as_deref(), key);
    }

    #[test]
    fn expectation_may_name_a_part_of_the_outcome() {
        let found = json!({"connect": {"peer": {"address": "a:1", "tls": {"sni": "a"}}, "note": "x"}});
        check(json!({"connect": {}}), found.clone(), None);
        check(json!({"connect": {"peer": {"address": "a:1"}}}), found.clone(), None);
        check(json!({"connect": {"peer": {"address": "b:1"}}}), found.clone(), Some("connect.peer.address"));
        check(json!({"connect": {"rewrite": {"authority": "b"}}}), found.clone(), Some("connect.rewrite"));
        check(json!({"respond": {"status": 200}}), found, Some("respond"));
    }

    #[test]
    fn lists_are_compared_as_a_whole() {
        check(
            json!({"respond": {"headers": [["a", "b"]]}}),
            json!({"respond": {"headers": [["a", "b"], ["c", "d"]]}}),
            Some("respond.headers"),
        );
    }
}
