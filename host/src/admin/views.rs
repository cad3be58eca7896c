//! What the API shows of tenants.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::release::{Entry, FailedRelease, Version};
use crate::tenant::Tenant;

/// One of a list.
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

/// All of one.
pub fn details(tenant: &Tenant) -> Value {
    let mut view = summary(tenant);
    let entries = tenant.releases.entries();
    let more = json!({
        "candidate": tenant.releases.candidate(),
        "versions": entries.iter().rev().map(entry).collect::<Vec<_>>(),
        "failures": tenant.releases.failures().iter().rev().map(failure).collect::<Vec<_>>(),
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

/// A version that was refused.
pub fn failure(failure: &FailedRelease) -> Value {
    json!({
        "at": time(failure.at),
        "origin": failure.origin,
        "step": failure.refused.step.name(),
        "path": failure.refused.path.display().to_string(),
        "sha256": failure.refused.digest.map(|digest| digest.full()),
        "message": failure.refused.to_string(),
    })
}

fn entry(entry: &Entry) -> Value {
    let mut view = version(&entry.version);
    if let Some(view) = view.as_object_mut() {
        view.insert("standing".to_owned(), json!(entry.standing));
        view.insert("since".to_owned(), time(entry.since).into());
    }
    view
}

fn digests(version: &Version) -> Vec<String> {
    version.digests().map(|digest| digest.full()).collect()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
