//! Formats the admin API's answers for people.

use std::fmt::Write as _;

use http::StatusCode;
use pointsman_rules::text::{json, printable};
use pointsman_wasm::module::Digest;
use serde_json::Value;

use crate::api;
use crate::cli::table::Table;

/// `tenants`
pub fn tenants(list: &api::TenantList) -> String {
    let mut table = Table::new(["NAME", "LIVE", "CANDIDATE", "MODULES", "DRAINED"]);
    for tenant in &list.tenants {
        let candidate = tenant.candidate.map(|candidate| candidate.to_string()).unwrap_or_default();
        let drained = if tenant.drained { "yes" } else { "no" };
        let (name, live) = (tenant.name.clone(), tenant.live.to_string());
        table.row([name, live, candidate, digests(&tenant.modules), drained.to_owned()]);
    }
    table.to_string()
}

/// `show`
pub fn tenant(tenant: &api::TenantDetails) -> String {
    let mut out = format!("{}: version {} serves", tenant.name, tenant.live);
    if tenant.drained {
        out.push_str("; it is drained: new requests get 503");
    }
    out.push('\n');
    match &tenant.candidate {
        None => out.push_str("no candidate\n"),
        Some(candidate) => out.push_str(&trial(candidate)),
    }
    let mut versions = Table::new(["NUMBER", "STATE", "SINCE", "ORIGIN", "MODULES", "REASON"]);
    for entry in &tenant.versions {
        let (state, reason) = state(&entry.state);
        let api::Version { version, modules, origin, made: _ } = &entry.version;
        let (number, since, origin) = (version.to_string(), entry.since.to_string(), origin.name().to_owned());
        versions.row([number, state.to_owned(), since, origin, digests(modules), reason.to_owned()]);
    }
    let _ = write!(out, "\n{versions}");
    if tenant.failures.is_empty() {
        return out;
    }
    let mut failures = Table::new(["REFUSED", "ORIGIN", "STEP", "MODULE", "MESSAGE"]);
    for failure in &tenant.failures {
        failures.row(cells_of_failure(failure));
    }
    let _ = write!(out, "\n{failures}");
    out
}

/// `failures`
pub fn failures(list: &api::FailureList) -> String {
    if list.failures.is_empty() {
        return "no version was refused\n".to_owned();
    }
    let mut table = Table::new(["TENANT", "REFUSED", "ORIGIN", "STEP", "MODULE", "MESSAGE"]);
    for failure in &list.failures {
        let [at, origin, step, module, message] = cells_of_failure(failure);
        table.row([failure.tenant.clone().unwrap_or_default(), at, origin, step, module, message]);
    }
    table.to_string()
}

/// `push`
pub fn pushed(tenant: &str, new: &api::NewVersion) -> String {
    let api::NewVersion { version, stage, percent: _, tests } = new;
    let modules = digests(&version.modules);
    format!("{tenant}: version {} ({modules}), stage {}{}\n", version.version, stage.name(), passed(*tests))
}

/// `validate`
pub fn validated(tenant: &str, validation: &api::Validation) -> String {
    let modules = digests(&validation.modules);
    format!("{tenant}: a version of {modules} would pass{}\n", passed(validation.tests))
}

/// `promote`
pub fn promoted(tenant: &str, promotion: &api::Promotion) -> String {
    let (stage, live) = (promotion.stage.name(), promotion.live);
    format!("{tenant}: the candidate's stage is {stage}; version {live} is live\n")
}

/// `abort`
pub fn aborted(tenant: &str, summary: &api::TenantSummary) -> String {
    format!("{tenant}: the candidate's trial is over; version {} serves\n", summary.live)
}

/// `rollback`
pub fn rolled_back(tenant: &str, version: &api::Version) -> String {
    format!("{tenant}: version {} ({}) serves again\n", version.version, digests(&version.modules))
}

/// `drain` and `resume`
pub fn drained(tenant: &str, state: &api::DrainState) -> String {
    let new = if state.drained { "get 503" } else { "are taken" };
    format!("{tenant}: new requests {new}; requests in flight: {}\n", state.requests_in_flight)
}

/// `reload`
pub fn reloaded(changes: &api::Changes) -> String {
    let api::Changes { added, changed, removed, unchanged, released, refused: _ } = changes;
    let mut out = String::new();
    for (what, names) in [("added", added), ("changed", changed), ("removed", removed), ("released", released)] {
        if !names.is_empty() {
            let _ = writeln!(out, "{what}: {}", names.join(", "));
        }
    }
    let _ = writeln!(out, "unchanged: {unchanged}");
    out
}

/// From `reload`: the tenants whose new version was refused, one a line.
pub fn refusals(changes: &api::Changes) -> Vec<String> {
    let refusal = |refused: &api::RefusedFiles| {
        format!("refused at the step `{}`: {}: {}", refused.step.name(), refused.tenant, lines(&refused.message))
    };
    changes.refused.iter().map(refusal).collect()
}

/// The API's error.
pub fn error(error: &api::ErrorDetails) -> String {
    let (code, message) = (error.code.name(), lines(&error.message));
    match error.step {
        None => format!("{code}: {message}"),
        Some(step) => format!("{code} at the step `{}`: {message}", step.name()),
    }
}

/// An error of a proxy of another version, whose code or step this program does not know.
pub fn unknown_error(status: StatusCode, answer: &Value) -> String {
    let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
    match (text("/error/code"), text("/error/message")) {
        (Some(code), Some(message)) => format!("{code}: {}", lines(message)),
        _ => format!("the proxy answered {status}: {answer}"),
    }
}

/// A candidate: its stage, its counters and the last differences.
fn trial(candidate: &api::Candidate) -> String {
    let api::Candidate { version, stage, percent, agreements, declined, differences, failures, skipped, examples } =
        candidate;
    let percent = percent.map(|percent| format!(" of {percent} % of the clients")).unwrap_or_default();
    let mut out = format!(
        "candidate: version {version}, {}{percent}; agreements {agreements}; declined {declined}; \
         differences {differences}; failures {failures}; skipped {skipped}\n",
        stage.name()
    );
    for api::Difference { method, authority, path, live, candidate } in examples {
        let _ = writeln!(out, "\n{}", printable(&format!("{method} {authority}{path}"), usize::MAX).0);
        for (side, decision) in [("live", live), ("candidate", candidate)] {
            let _ = writeln!(out, "  {side:9}  {}", json(decision));
        }
    }
    out
}

/// A version's state, and the reason, if there is one.
fn state(state: &api::State) -> (&'static str, &str) {
    match state {
        api::State::Live => ("live", ""),
        api::State::Candidate => ("candidate", ""),
        api::State::Replaced => ("replaced", ""),
        api::State::RolledBack { reason } => ("rolled-back", reason),
        api::State::Aborted { reason } => ("aborted", reason),
    }
}

fn cells_of_failure(failure: &api::Failure) -> [String; 5] {
    let module = match failure.sha256 {
        None => failure.path.clone().unwrap_or_default(),
        Some(digest) => digest.to_string(),
    };
    let origin = failure.origin.map(|origin| origin.name().to_owned()).unwrap_or_default();
    // A table row is a single line.
    let message = failure.message.lines().collect::<Vec<_>>().join("; ");
    [failure.at.to_string(), origin, failure.step.name().to_owned(), module, message]
}

/// The number of tests that passed, if there were any.
fn passed(tests: usize) -> String {
    if tests == 0 { String::new() } else { format!("; tests passed: {tests}") }
}

fn digests(digests: &[Digest]) -> String {
    digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(",")
}

/// Text of several lines, without control characters.
fn lines(text: &str) -> String {
    text.lines().map(|line| printable(line, usize::MAX).0).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// An answer, as it comes from the proxy.
    #[track_caller]
    fn answer<T: DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).expect("an answer")
    }

    #[test]
    fn tenants_are_a_table() {
        let list = answer(json!({"tenants": [
            {"name": "cart", "live": 12, "modules": [DIGEST, DIGEST], "candidate": null, "drained": true},
            {"name": "shop", "live": 1, "modules": [DIGEST], "candidate": 2, "drained": false},
        ]}));
        let expected = "\
NAME  LIVE  CANDIDATE  MODULES                    DRAINED
cart  12    -          0123456789ab,0123456789ab  yes
shop  1     2          0123456789ab               no
";
        assert_eq!(tenants(&list), expected);
    }

    #[test]
    fn tenant_is_shown_with_its_candidate_its_versions_and_its_failures() {
        let shop = answer(json!({
            "name": "shop", "live": 1, "drained": false, "modules": [DIGEST], "paths": ["router.wasm"],
            "candidate": {"version": 3, "stage": "canary", "percent": 10, "agreements": 5, "declined": 2,
                "differences": 1, "failures": 0, "skipped": 4, "examples": [{"method": "GET", "authority": "shop.test",
                "path": "/", "live": {"note": "\u{1b}[2J"}, "candidate": 1}]},
            "versions": [
                {"version": 3, "state": "candidate", "since": "2026-11-24T15:38:37.123Z", "origin": "upload",
                    "made": "2026-11-24T15:38:37.123Z", "modules": [DIGEST]},
                {"version": 2, "state": {"aborted": {"reason": "by order"}}, "since": "2026-11-24T15:38:36.000Z",
                    "made": "2026-11-24T15:38:36.000Z", "origin": "file", "modules": [DIGEST]},
            ],
            "failures": [{"at": "2026-11-24T15:38:35.000Z", "tenant": "shop", "origin": "upload", "step": "test",
                "path": "router.wasm", "sha256": DIGEST, "message": "one\ntwo"}],
        }));
        let expected = "\
shop: version 1 serves
candidate: version 3, canary of 10 % of the clients; agreements 5; declined 2; differences 1; failures 0; skipped 4

GET shop.test/
  live       {\"note\":\"\\u001b[2J\"}
  candidate  1

NUMBER  STATE      SINCE                 ORIGIN  MODULES       REASON
3       candidate  2026-11-24T15:38:37Z  upload  0123456789ab  -
2       aborted    2026-11-24T15:38:36Z  file    0123456789ab  by order

REFUSED               ORIGIN  STEP  MODULE        MESSAGE
2026-11-24T15:38:35Z  upload  test  0123456789ab  one; two
";
        assert_eq!(tenant(&shop), expected);
    }

    #[test]
    fn failures_of_the_configuration_have_no_tenant() {
        let list = answer(json!({"failures": [{"at": "2026-11-24T15:38:35.000Z", "tenant": null, "origin": null,
            "step": "config", "path": null, "sha256": null, "message": "x"}]}));
        let expected = "\
TENANT  REFUSED               ORIGIN  STEP    MODULE  MESSAGE
-       2026-11-24T15:38:35Z  -       config  -       x
";
        assert_eq!(failures(&list), expected);
        assert_eq!(failures(&answer(json!({"failures": []}))), "no version was refused\n");
    }

    #[test]
    fn reload_tells_what_changed_and_what_was_refused() {
        let changes = answer(json!({"added": ["a", "b"], "changed": [], "removed": ["c"], "unchanged": 4,
            "released": ["d"], "refused": [{"tenant": "e", "step": "build", "message": "not a module\u{1b}[2J"}]}));
        assert_eq!(reloaded(&changes), "added: a, b\nremoved: c\nreleased: d\nunchanged: 4\n");
        assert_eq!(refusals(&changes), ["refused at the step `build`: e: not a module\\u{1b}[2J"]);
    }
}
