//! How a tenant continues where another process ended: with the versions that it saved.

use pointsman_rules::config::TenantConfig;
use pointsman_wasm::module::{Digest, LoadError};

use crate::release::manager::{OnDamage, ReleaseManager, Source};
use crate::release::store::StoreError;
use crate::tenant::Tenant;
use crate::versions::{Entry, SavedState, Trial, Version};

/// Why the version that served last cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    #[error("no version is live")]
    NoVersion,
    #[error("it has {found} modules, the tenant has {expected}")]
    Modules { found: usize, expected: usize },
    #[error("its module {module} is gone from proxy.state_dir: upload it again")]
    Gone { module: Digest, source: StoreError },
    #[error(transparent)]
    Refused(LoadError),
}

/// The versions that served a tenant when another process ended.
pub struct LastServed {
    pub live: Version,
    pub rest: Rest,
}

/// The saved versions in addition to the live one.
pub struct Rest {
    candidate: Option<(Version, Trial)>,
    previous: Option<Version>,
}

impl ReleaseManager {
    /// The saved state of a tenant. None: there is none, or it was damaged and has been set aside.
    pub fn saved_state(&self, tenant: &str) -> Result<Option<SavedState>, StoreError> {
        let Some(store) = &self.store else { return Ok(None) };
        let error = match store.saved_state(tenant) {
            Err(error) if self.on_damage == OnDamage::UseFiles => error,
            known => return known,
        };
        let set_aside = match store.set_aside(tenant) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(tenant, %error, set_aside, "the tenant's state cannot be read: the configured files serve, and it is \
            not drained; restart with a good copy of the file, or upload again");
        Ok(None)
    }

    /// Loads the versions that served a tenant when another process ended, or says why they cannot be loaded.
    pub fn last_served(&self, config: &TenantConfig, saved: &SavedState) -> Result<LastServed, NotLoaded> {
        let live = self.load_entry(config, saved.live().ok_or(NotLoaded::NoVersion)?)?;
        let version = |entry: &Entry| {
            let log = |error: &NotLoaded| {
                let why = pointsman_rules::text::chain(error);
                tracing::error!(tenant = %config.name, version = entry.number, why, "it cannot be loaded again");
            };
            self.load_entry(config, entry).inspect_err(log).ok()
        };
        let candidate = saved.candidate().and_then(|(entry, trial)| Some((version(entry)?, trial)));
        let previous = saved.previous().and_then(version);
        Ok(LastServed { live, rest: Rest { candidate, previous } })
    }

    /// Whether a start fails because the version that served last cannot be loaded.
    pub fn refuses(&self, error: &NotLoaded) -> bool {
        self.on_damage == OnDamage::Refuse && matches!(error, NotLoaded::Gone { .. })
    }

    /// Continues a tenant where another process ended.
    pub fn restore(&self, tenant: &Tenant, saved: SavedState, rest: Rest) {
        tenant.drain(saved.drained);
        tenant.releases.restore(saved, rest.candidate, rest.previous, &tenant.config.release);
    }

    /// Loads the modules of a saved version.
    pub(super) fn load_entry(&self, config: &TenantConfig, entry: &Entry) -> Result<Version, NotLoaded> {
        let (found, expected) = (entry.modules.len(), config.modules.len());
        let Some(store) = self.store.as_ref().filter(|_| found == expected) else {
            return Err(NotLoaded::Modules { found, expected });
        };
        let mut modules = Vec::new();
        for (digest, module) in entry.modules.iter().zip(&config.modules) {
            let bytes = store.get(*digest).map_err(|source| NotLoaded::Gone { module: *digest, source })?;
            modules.push(self.build(config, module, &Source::of(bytes)).map_err(NotLoaded::Refused)?);
        }
        Ok(Version::again(entry, modules))
    }
}
