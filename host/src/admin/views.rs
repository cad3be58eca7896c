//! Tenants and failures in the form in which the API shows them.

use crate::api;
use crate::control::FailedReload;
use crate::tenant::Tenant;
use crate::versions::{Entry, FailedRelease, Version, VersionStatus};

/// A tenant in a list.
pub fn summary(tenant: &Tenant) -> api::TenantSummary {
    let live = tenant.releases.live();
    api::TenantSummary {
        name: tenant.name.to_string(),
        live: live.number,
        modules: live.digests().collect(),
        candidate: tenant.releases.candidate().map(|candidate| candidate.version),
        drained: tenant.is_drained(),
    }
}

/// A tenant in full.
pub fn details(tenant: &Tenant) -> api::TenantDetails {
    let live = tenant.releases.live();
    api::TenantDetails {
        name: tenant.name.to_string(),
        live: live.number,
        modules: live.digests().collect(),
        candidate: tenant.releases.candidate(),
        drained: tenant.is_drained(),
        versions: tenant.releases.entries().iter().rev().map(entry).collect(),
        failures: tenant.releases.failures().iter().rev().map(|failed| failure(failed, &tenant.name)).collect(),
        paths: tenant.config.modules.iter().map(|module| module.path.display().to_string()).collect(),
    }
}

pub fn version(version: &Version) -> api::Version {
    api::Version {
        version: version.number,
        modules: version.digests().collect(),
        origin: version.origin,
        made: version.made.into(),
    }
}

/// A new version of a tenant that was refused.
pub fn failure(failure: &FailedRelease, tenant: &str) -> api::Failure {
    api::Failure {
        at: failure.at.into(),
        tenant: Some(tenant.to_owned()),
        origin: Some(failure.origin),
        step: failure.refused.step,
        path: Some(failure.refused.path.display().to_string()),
        sha256: failure.refused.digest,
        message: failure.refused.to_string(),
    }
}

/// A configuration that was refused as a whole.
pub fn failed_reload(failure: &FailedReload) -> api::Failure {
    api::Failure {
        at: failure.at.into(),
        tenant: None,
        origin: None,
        step: api::ReleaseStep::Config,
        path: None,
        sha256: None,
        message: failure.message.clone(),
    }
}

fn entry(entry: &Entry) -> api::VersionEntry {
    api::VersionEntry {
        version: api::Version {
            version: entry.number,
            modules: entry.modules.clone(),
            origin: entry.origin,
            made: entry.made.into(),
        },
        state: state(&entry.status),
        since: entry.since.into(),
    }
}

fn state(status: &VersionStatus) -> api::State {
    match status {
        VersionStatus::Live => api::State::Live,
        VersionStatus::Candidate => api::State::Candidate,
        VersionStatus::Replaced => api::State::Replaced,
        VersionStatus::RolledBack { reason } => api::State::RolledBack { reason: reason.clone() },
        VersionStatus::Aborted { reason } => api::State::Aborted { reason: reason.clone() },
    }
}
