//! Tenants and failures as JSON, as the API shows them.

use chrono::{DateTime, SecondsFormat, Utc};
use pointsman_wasm::module::Digest;
use serde_json::{Value, json};

use crate::release::{Entry, FailedRelease, State, Version};
use crate::server::FailedReload;
use crate::tenant::Tenant;

/// A tenant in a list.
pub fn summary(tenant: &Tenant) -> Value {
    let live = tenant.releases.live();
    json!({
        "name": &*tenant.name,
        "live": live.number,
        "modules": digests(&live),
        "candidate": tenant.releases.candidate().map(|candidate| candidate.version),
        "drained": tenant.is_drained(),
    })
}

/// A tenant in full.
pub fn details(tenant: &Tenant) -> Value {
    let mut view = summary(tenant);
    let (entries, failures) = (tenant.releases.entries(), tenant.releases.failures());
    let more = json!({
        "candidate": tenant.releases.candidate(),
        "versions": entries.iter().rev().map(entry).collect::<Vec<_>>(),
        "failures": failures.iter().rev().map(|failed| failure(failed, &tenant.name)).collect::<Vec<_>>(),
        "paths": tenant.config.modules.iter().map(|module| module.path.display().to_string()).collect::<Vec<_>>(),
    });
    if let (Some(view), Value::Object(more)) = (view.as_object_mut(), more) {
        view.extend(more);
    }
    view
}

pub fn version(version: &Version) -> Value {
    json!({
        "version": version.number,
        "modules": digests(version),
        "origin": version.origin,
        "made": time(version.made),
    })
}

/// A new version of a tenant that was refused.
pub fn failure(failure: &FailedRelease, tenant: &str) -> Value {
    json!({
        "at": time(failure.at),
        "tenant": tenant,
        "origin": failure.origin,
        "step": failure.refused.step.name(),
        "path": failure.refused.path.display().to_string(),
        "sha256": failure.refused.digest,
        "message": failure.refused.to_string(),
    })
}

/// A configuration that was refused as a whole.
pub fn failed_reload(failure: &FailedReload) -> Value {
    json!({"at": time(failure.at), "tenant": null, "step": "config", "message": failure.message})
}

fn entry(entry: &Entry) -> Value {
    json!({
        "version": entry.number,
        "modules": entry.modules,
        "origin": entry.origin,
        "made": time(entry.made),
        "state": state(&entry.state),
        "since": time(entry.since),
    })
}

fn state(state: &State) -> Value {
    match state {
        State::Live => json!("live"),
        State::Candidate => json!("candidate"),
        State::Replaced => json!("replaced"),
        State::RolledBack { reason } => json!({"rolled-back": {"reason": reason}}),
        State::Aborted { reason } => json!({"aborted": {"reason": reason}}),
    }
}

fn digests(version: &Version) -> Vec<Digest> {
    version.digests().collect()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
