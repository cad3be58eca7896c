//! Rewrites the expectations of tests that failed to what came out: `pointsman test --update`. All other text of the
//! file stays as it is.

use std::ops::Range;

use pointsman_rules::text::{json, json_pretty};
use serde_json::{Map, Value};

use crate::release::module_tests::{TestError, Tests};

/// Columns that a line of a rewritten expectation has at most, if it is one line.
const COLUMNS: usize = 100;

impl Tests {
    /// The text of the file, in which each test expects the outcome that `outcomes` has for its index: the parts that
    /// its expectation names, or all if it named another kind of outcome.
    pub fn updated(&self, outcomes: &[(usize, Value)]) -> Result<String, TestError> {
        let text = String::from_utf8_lossy(&self.text);
        let mut changes = Vec::<(Range<usize>, String)>::new();
        for (index, test) in self.parse()?.iter().enumerate() {
            let Some((_, outcome)) = outcomes.iter().find(|(of, _)| *of == index) else { continue };
            let start = test.written.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
            let before = text.get(..start).unwrap_or_default();
            let line = before.rsplit('\n').next().unwrap_or_default();
            changes.push((start..start.saturating_add(test.written.len()), written(&test.expect, outcome, line)));
        }
        let mut updated = text.into_owned();
        // From the end, so that the places of those before stay right.
        for (range, new) in changes.into_iter().rev() {
            if updated.get(range.clone()).is_some() {
                updated.replace_range(range, &new);
            }
        }
        Ok(updated)
    }
}

/// The new text of an expectation that begins after `line`.
fn written(expect: &Map<String, Value>, outcome: &Value, line: &str) -> String {
    let new = match expect.keys().any(|name| outcome.get(name).is_some()) {
        true => named(expect, outcome),
        false => outcome.clone(),
    };
    let short = json(&new);
    if line.chars().count().saturating_add(short.len()) <= COLUMNS {
        return short;
    }
    let indent: String = line.chars().take_while(|letter| letter.is_whitespace()).collect();
    json_pretty(&new).replace('\n', &format!("\n{indent}"))
}

/// The values of the outcome that an expectation names. A name that the outcome lacks becomes null: it must not be set.
fn named(expect: &Map<String, Value>, outcome: &Value) -> Value {
    let values = expect.iter().map(|(name, expected)| {
        let value = match (expected, outcome.get(name)) {
            (Value::Object(expected), Some(found @ Value::Object(_))) => named(expected, found),
            (_, found) => found.cloned().unwrap_or_default(),
        };
        (name.clone(), value)
    });
    Value::Object(values.collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, outcomes: &[(usize, Value)], expected: &str) {
        let tests = Tests { path: PathBuf::from("a"), text: text.as_bytes().to_vec() };
        assert_eq!(tests.updated(outcomes).unwrap(), expected);
    }

    const TEXT: &str = r#"[
  {"name": "é", "request": {"url": "http://a/"}, "expect": {"connect": {"note": "a", "peer": {}}}},
  {
    "expect": { "connect": {"note":  "b" }},
    "name": "two", "request": {"url": "http://b/"}
  }
]
"#;

    #[test]
    fn only_the_expectations_of_the_named_tests_change() {
        let other = json!({"connect": {"note": "new", "peer": {"address": "a:1"}}});
        let two = TEXT.replace(r#"{ "connect": {"note":  "b" }}"#, r#"{"connect":{"note":"new"}}"#);
        check(TEXT, &[(1, other.clone())], &two);
        let both = two.replace(r#"{"connect": {"note": "a", "peer": {}}}"#, r#"{"connect":{"note":"new","peer":{}}}"#);
        check(TEXT, &[(1, other.clone()), (0, other)], &both);
        check(TEXT, &[(2, json!({}))], TEXT);
    }

    #[test]
    fn name_that_is_gone_must_not_be_set() {
        let expected = TEXT.replace(r#"{ "connect": {"note":  "b" }}"#, r#"{"connect":{"note":null}}"#);
        check(TEXT, &[(1, json!({"connect": {"peer": {}}}))], &expected);
    }

    #[test]
    fn another_kind_of_outcome_is_expected_as_a_whole_and_long_text_is_indented() {
        let body = "x".repeat(COLUMNS);
        let expected = TEXT.replace(
            r#"{ "connect": {"note":  "b" }}"#,
            &format!("{{\n      \"respond\": {{\n        \"body\": \"{body}\"\n      }}\n    }}"),
        );
        check(TEXT, &[(1, json!({"respond": {"body": body}}))], &expected);
    }
}
