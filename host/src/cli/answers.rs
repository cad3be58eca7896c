//! Formats the admin API's answers for people. A proxy of another version may send more or less than this one: missing
//! fields are left out, and unknown counters are shown under their own names.

use std::fmt::Write as _;

use pointsman_rules::text::printable;
use serde_json::Value;

use crate::cli::table::Table;

/// `tenants`
pub fn tenants(answer: &Value) -> String {
    let mut table = Table::new(["NAME", "LIVE", "CANDIDATE", "MODULES", "DRAINED"]);
    for tenant in list(answer, "tenants") {
        let candidate = at(tenant, "candidate");
        let candidate = text(candidate.get("version").unwrap_or(candidate));
        let drained = if at(tenant, "drained") == &Value::Bool(true) { "yes" } else { "no" };
        table.row([word(tenant, "name"), word(tenant, "live"), candidate, digests(tenant), drained.to_owned()]);
    }
    table.to_string()
}

/// `show`
pub fn tenant(answer: &Value) -> String {
    let mut out = format!("{}: version {} serves", word(answer, "name"), word(answer, "live"));
    if at(answer, "drained") == &Value::Bool(true) {
        out.push_str("; it is drained: new requests get 503");
    }
    out.push('\n');
    match at(answer, "candidate") {
        Value::Null => out.push_str("no candidate\n"),
        candidate => out.push_str(&trial(candidate)),
    }
    let mut versions = Table::new(["NUMBER", "STATE", "SINCE", "ORIGIN", "MODULES", "REASON"]);
    for version in list(answer, "versions") {
        let (state, reason) = state(at(version, "state"));
        let (number, since, origin) = (word(version, "version"), time(version, "since"), word(version, "origin"));
        versions.row([number, state, since, origin, digests(version), reason]);
    }
    let _ = write!(out, "\n{versions}");
    if list(answer, "failures").next().is_none() {
        return out;
    }
    let mut failures = Table::new(["REFUSED", "ORIGIN", "STEP", "MODULE", "MESSAGE"]);
    for failure in list(answer, "failures") {
        failures.row(cells_of_failure(failure));
    }
    let _ = write!(out, "\n{failures}");
    out
}

/// `failures`
pub fn failures(answer: &Value) -> String {
    if list(answer, "failures").next().is_none() {
        return "no version was refused\n".to_owned();
    }
    let mut table = Table::new(["TENANT", "REFUSED", "ORIGIN", "STEP", "MODULE", "MESSAGE"]);
    for failure in list(answer, "failures") {
        let [at, origin, step, module, message] = cells_of_failure(failure);
        table.row([word(failure, "tenant"), at, origin, step, module, message]);
    }
    table.to_string()
}

/// `push`
pub fn pushed(tenant: &str, answer: &Value) -> String {
    let (version, stage) = (word(answer, "version"), word(answer, "stage"));
    format!("{tenant}: version {version} ({}), stage {stage}{}\n", digests(answer), tests(answer))
}

/// `validate`
pub fn validated(tenant: &str, answer: &Value) -> String {
    format!("{tenant}: a version of {} would pass{}\n", digests(answer), tests(answer))
}

/// `promote`
pub fn promoted(tenant: &str, answer: &Value) -> String {
    let (stage, live) = (word(answer, "stage"), word(answer, "live"));
    format!("{tenant}: the candidate's stage is {stage}; version {live} is live\n")
}

/// `abort`
pub fn aborted(tenant: &str, answer: &Value) -> String {
    format!("{tenant}: the candidate's trial is over; version {} serves\n", word(answer, "live"))
}

/// `rollback`
pub fn rolled_back(tenant: &str, answer: &Value) -> String {
    format!("{tenant}: version {} ({}) serves again\n", word(answer, "version"), digests(answer))
}

/// `drain` and `resume`
pub fn drained(tenant: &str, answer: &Value) -> String {
    let in_flight = word(answer, "requests_in_flight");
    match at(answer, "drained") {
        Value::Bool(true) => format!("{tenant}: new requests get 503; requests in flight: {in_flight}\n"),
        _ => format!("{tenant}: new requests are taken; requests in flight: {in_flight}\n"),
    }
}

/// `reload`
pub fn reloaded(answer: &Value) -> String {
    let mut out = String::new();
    for what in ["added", "changed", "removed", "released"] {
        let names: Vec<String> = list(answer, what).map(name).collect();
        if !names.is_empty() {
            let _ = writeln!(out, "{what}: {}", names.join(", "));
        }
    }
    let _ = writeln!(out, "unchanged: {}", word(answer, "unchanged"));
    out
}

/// From `reload`: the tenants whose new version was refused, one a line.
pub fn refusals(answer: &Value) -> Vec<String> {
    let refusal = |refused: &Value| {
        let (step, message) = (word(refused, "step"), lines(&word(refused, "message")));
        match step.as_str() {
            "" => format!("refused: {}: {message}", name(refused)),
            step => format!("refused at the step `{step}`: {}: {message}", name(refused)),
        }
    };
    list(answer, "refused").map(refusal).collect()
}

/// The API's error.
pub fn error(answer: &Value) -> String {
    let error = at(answer, "error");
    let (code, message) = (word(error, "code"), lines(&word(error, "message")));
    match word(error, "step").as_str() {
        "" => format!("{code}: {message}"),
        step => format!("{code} at the step `{step}`: {message}"),
    }
}

/// A candidate: its stage, its counters and the last differences.
fn trial(candidate: &Value) -> String {
    let percent = match at(candidate, "percent") {
        Value::Null => String::new(),
        percent => format!(" of {} % of the clients", text(percent)),
    };
    let mut out = format!("candidate: version {}, {}{percent}", word(candidate, "version"), word(candidate, "stage"));
    for (count, value) in candidate.as_object().into_iter().flatten() {
        if value.is_number() && !["version", "percent"].contains(&count.as_str()) {
            let _ = write!(out, "; {} {}", printable(count, 64).0, text(value));
        }
    }
    out.push('\n');
    for difference in list(candidate, "examples") {
        let (method, authority, path) =
            (word(difference, "method"), word(difference, "authority"), word(difference, "path"));
        let _ = writeln!(out, "\n{}", printable(&format!("{method} {authority}{path}"), usize::MAX).0);
        for side in ["live", "candidate"] {
            let _ = writeln!(out, "  {side:9}  {}", printable(&text(at(difference, side)), usize::MAX).0);
        }
    }
    out
}

/// A version's state, and the reason, if there is one.
fn state(value: &Value) -> (String, String) {
    match value.as_object().and_then(|object| object.iter().next()) {
        Some((state, more)) => (state.clone(), word(more, "reason")),
        None => (text(value), String::new()),
    }
}

fn cells_of_failure(failure: &Value) -> [String; 5] {
    let module = match at(failure, "sha256") {
        Value::Null => word(failure, "path"),
        digest => short(&text(digest)),
    };
    // A table row is a single line.
    let message = word(failure, "message").lines().collect::<Vec<_>>().join("; ");
    [time(failure, "at"), word(failure, "origin"), word(failure, "step"), module, message]
}

/// The number of tests that passed, if there were any.
fn tests(answer: &Value) -> String {
    match at(answer, "tests").as_u64() {
        None | Some(0) => String::new(),
        Some(tests) => format!("; tests passed: {tests}"),
    }
}

/// A tenant's name, alone or with details.
fn name(value: &Value) -> String {
    let (name, version) = (at(value, "tenant"), at(value, "version"));
    let name = text(if name.is_null() { value } else { name });
    let name = printable(&name, usize::MAX).0;
    if version.is_null() { name } else { format!("{name} (version {})", text(version)) }
}

fn at<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    at(value, key).as_array().into_iter().flatten()
}

fn word(value: &Value, key: &str) -> String {
    text(at(value, key))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn digests(value: &Value) -> String {
    let digests: Vec<String> = list(value, "modules").map(|digest| short(&text(digest))).collect();
    digests.join(",")
}

/// The digits of a digest that logs show.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// A time to the second: `2026-11-24T15:38:37Z`.
fn time(value: &Value, key: &str) -> String {
    let time = word(value, key);
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time,
    }
}

/// Text of several lines, without control characters.
fn lines(text: &str) -> String {
    text.lines().map(|line| printable(line, usize::MAX).0).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn tenants_are_a_table() {
        let answer = json!({"tenants": [
            {"name": "cart", "live": 12, "modules": [DIGEST, DIGEST], "candidate": null, "drained": true},
            {"name": "shop", "live": 1, "modules": [DIGEST], "candidate": 2, "drained": false},
        ]});
        let expected = "\
NAME  LIVE  CANDIDATE  MODULES                    DRAINED
cart  12    -          0123456789ab,0123456789ab  yes
shop  1     2          0123456789ab               no
";
        assert_eq!(tenants(&answer), expected);
    }

    #[test]
    fn tenant_is_shown_with_its_candidate_its_versions_and_its_failures() {
        let answer = json!({
            "name": "shop", "live": 1, "drained": false, "modules": [DIGEST],
            "candidate": {"version": 3, "stage": "canary", "percent": 10, "agreements": 5, "differences": 1, "declined": 2,
                "examples": [{"method": "GET", "authority": "shop.test", "path": "/", "live": {"pass": null}, "candidate": 1}]},
            "versions": [
                {"version": 3, "state": "candidate", "since": "2026-11-24T15:38:37.123Z", "origin": "upload",
                    "modules": [DIGEST]},
                {"version": 2, "state": {"aborted": {"reason": "by order"}}, "since": "2026-11-24T15:38:36.000Z",
                    "origin": "file", "modules": [DIGEST]},
            ],
            "failures": [{"at": "2026-11-24T15:38:35.000Z", "origin": "upload", "step": "test", "sha256": DIGEST,
                "message": "one\ntwo"}],
        });
        let expected = "\
shop: version 1 serves
candidate: version 3, canary of 10 % of the clients; agreements 5; declined 2; differences 1

GET shop.test/
  live       {\"pass\":null}
  candidate  1

NUMBER  STATE      SINCE                 ORIGIN  MODULES       REASON
3       candidate  2026-11-24T15:38:37Z  upload  0123456789ab  -
2       aborted    2026-11-24T15:38:36Z  file    0123456789ab  by order

REFUSED               ORIGIN  STEP  MODULE        MESSAGE
2026-11-24T15:38:35Z  upload  test  0123456789ab  one; two
";
        assert_eq!(tenant(&answer), expected);
    }

    /// A proxy of another version may answer like this.
    #[test]
    fn what_is_missing_is_left_out() {
        assert_eq!(tenants(&json!({})), "NAME  LIVE  CANDIDATE  MODULES  DRAINED\n");
        assert!(tenant(&json!({})).contains("no candidate"));
        assert_eq!(failures(&json!([])), "no version was refused\n");
        assert_eq!(reloaded(&json!({"unchanged": 1})), "unchanged: 1\n");
        assert!(refusals(&json!({"refused": []})).is_empty());
        assert_eq!(error(&Value::Null), ": ");
    }

    #[test]
    fn reload_tells_what_changed_and_what_was_refused() {
        let answer = json!({"added": ["a", "b"], "changed": [], "removed": ["c"], "unchanged": 4,
            "released": [{"tenant": "d", "version": 7}],
            "refused": [{"tenant": "e", "step": "build", "message": "not a module\u{1b}[2J"}]});
        assert_eq!(reloaded(&answer), "added: a, b\nremoved: c\nreleased: d (version 7)\nunchanged: 4\n");
        assert_eq!(refusals(&answer), ["refused at the step `build`: e: not a module\\u{1b}[2J"]);
    }
}
