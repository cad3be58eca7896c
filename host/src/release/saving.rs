//! Saves the modules and versions of a tenant for the next start.

use crate::release::manager::{ReleaseManager, Source};
use crate::release::store::{Store, StoreError};
use crate::tenant::Tenant;
use crate::versions::ReleaseFailure;

/// The state on disk differs from the versions that serve. Saving is retried about every second.
#[derive(Debug, thiserror::Error)]
#[error("done, but not saved: {now} now; after a restart: {then}; saving is retried every second")]
pub struct NotSaved {
    now: String,
    then: String,
    source: StoreError,
}

impl ReleaseManager {
    /// Saves a change that no operator asked for.
    pub fn save_changed(&self, tenant: &Tenant) {
        if let Err(error) = self.ensure_saved(tenant) {
            log(tenant, &error);
        }
    }

    /// Makes sure that the next start would find the versions that serve now.
    pub fn ensure_saved(&self, tenant: &Tenant) -> Result<(), NotSaved> {
        let _saving = tenant.releases.saving.lock();
        if tenant.releases.is_unsaved() { self.save(tenant) } else { Ok(()) }
    }

    pub(super) fn save_or_log(&self, tenant: &Tenant) {
        if let Err(error) = self.save(tenant) {
            log(tenant, &error);
        }
    }

    /// Saves a tenant's versions for the next start.
    pub(super) fn save(&self, tenant: &Tenant) -> Result<(), NotSaved> {
        let saved = tenant.releases.state_to_save(tenant.is_drained());
        let Some(store) = &self.store else { return Ok(()) };
        store.save(&tenant.name, &saved).map_err(|source| {
            tenant.releases.mark_unsaved();
            let then = match store.saved_state(&tenant.name) {
                Ok(Some(before)) => before.to_string(),
                Ok(None) => "the configured files serve".to_owned(),
                Err(_) => "not known".to_owned(),
            };
            NotSaved { now: saved.to_string(), then, source }
        })
    }

    pub(super) fn add(&self, tenant: &Tenant, sources: &[Source]) -> Result<(), ReleaseFailure> {
        let Some(store) = &self.store else { return Ok(()) };
        for source in sources {
            let added = store.add(&tenant.name, &source.bytes);
            added.map_err(|error| ReleaseFailure::by_store(&tenant.config, source.digest, &error))?;
        }
        Ok(())
    }

    /// Removes modules that no tenant refers to.
    pub fn sweep(&self) {
        if let Some(Err(error)) = self.store.as_ref().map(Store::sweep) {
            tracing::warn!(%error, "cannot remove old modules from proxy.state_dir");
        }
    }
}

fn log(tenant: &Tenant, error: &NotSaved) {
    let error = pointsman_rules::text::chain(error);
    tracing::error!(tenant = %tenant.name, error, "cannot save the serving versions for the next start");
}
