//! Compares an outcome with what a test expects of it: the expectation names a part, and all of it must be there.

use std::fmt;

use serde_json::{Map, Value};

/// A place where an outcome lacks or contradicts a part of what is expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// The names on the way to the value, with dots between them.
    pub key: String,
    pub expected: Value,
    pub found: Found,
}

/// The value at the place of a difference.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Other(Value),
    /// There is no such name; `parent`, as texts name it, has these.
    Missing {
        parent: String,
        names: Vec<String>,
    },
}

/// All differences, in the order of the expectation.
pub fn differences(expected: &Map<String, Value>, found: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare("", &Value::Object(expected.clone()), found, &mut differences);
    differences
}

fn compare(key: &str, expected: &Value, found: &Value, differences: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, expected) in expected {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                match found.get(name) {
                    Some(found) => compare(&key, expected, found, differences),
                    // An outcome leaves out what is not set.
                    None if expected.is_null() => {}
                    None => {
                        let parent =
                            key.rsplit_once('.').map_or("the outcome".to_owned(), |(parent, _)| format!("`{parent}`"));
                        let found = Found::Missing { parent, names: found.keys().cloned().collect() };
                        differences.push(Difference { key, expected: expected.clone(), found });
                    }
                }
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => {
            let found = Found::Other(found.clone());
            differences.push(Difference { key: key.to_owned(), expected: expected.clone(), found });
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { key, expected, found } = self;
        match found {
            Found::Other(found) => write!(f, "`{key}` is {found}, expected {expected}"),
            Found::Missing { parent, names } if names.is_empty() => {
                write!(f, "`{key}` is missing, expected {expected}; {parent} is empty")
            }
            Found::Missing { parent, names } => {
                let names = names.join("`, `");
                write!(f, "`{key}` is missing, expected {expected}; {parent} has `{names}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: Value, found: &Value, texts: &[&str]) {
        let Value::Object(expected) = expected else { panic!("an object") };
        let found: Vec<String> = differences(&expected, found).iter().map(Difference::to_string).collect();
        assert_eq!(found, texts);
    }

    #[test]
    fn expectation_may_name_a_part_of_the_outcome() {
        let found = json!({"connect": {"peer": {"address": "a:1", "tls": {"sni": "a"}}, "note": "x"}});
        check(json!({"connect": {}}), &found, &[]);
        check(json!({"connect": {"peer": {"address": "a:1"}}}), &found, &[]);
        check(json!({"connect": {"peer": {"alpn": null}}}), &found, &[]);
        check(
            json!({"connect": {"peer": {"address": "b:1"}}}),
            &found,
            &[r#"`connect.peer.address` is "a:1", expected "b:1""#],
        );
    }

    #[test]
    fn name_that_is_missing_comes_with_those_that_are_there() {
        let found = json!({"connect": {"peer": {"connection": {}, "tls": {}}}});
        check(
            json!({"connect": {"peer": {"address": "b:1"}}}),
            &found,
            &[r#"`connect.peer.address` is missing, expected "b:1"; `connect.peer` has `connection`, `tls`"#],
        );
        check(
            json!({"respond": {"status": 200}}),
            &found,
            &[r#"`respond` is missing, expected {"status":200}; the outcome has `connect`"#],
        );
        check(
            json!({"connect": {"peer": {"tls": {"sni": "a"}}}}),
            &found,
            &[r#"`connect.peer.tls.sni` is missing, expected "a"; `connect.peer.tls` is empty"#],
        );
    }

    #[test]
    fn every_difference_is_found() {
        check(
            json!({"connect": {"note": "a", "peer": {"address": "b:1"}}}),
            &json!({"connect": {"note": "b", "peer": {"address": "a:1"}}}),
            &[r#"`connect.note` is "b", expected "a""#, r#"`connect.peer.address` is "a:1", expected "b:1""#],
        );
    }

    #[test]
    fn lists_are_compared_as_a_whole() {
        check(
            json!({"respond": {"headers": [["a", "b"]]}}),
            &json!({"respond": {"headers": [["a", "b"], ["c", "d"]]}}),
            &[r#"`respond.headers` is [["a","b"],["c","d"]], expected [["a","b"]]"#],
        );
    }
}
