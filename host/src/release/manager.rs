//! The release manager: what it needs to prepare versions and to save them. Its work is in the files beside.

use std::num::NonZero;
use std::thread::available_parallelism;

use pointsman_rules::config::ModuleConfig;
use pointsman_system::permits::Permits;
use pointsman_wasm::engine::SPARE_TO_TEST;
use pointsman_wasm::module::{Digest, LoadError, Loader, read};

use crate::release::store::Store;

/// Prepares versions and saves the state that outlives the process.
pub struct ReleaseManager {
    pub(super) loader: Loader,
    pub(super) store: Option<Store>,
    pub(super) on_damage: OnDamage,
    /// Limits concurrent builds to the number of cores.
    pub(super) builds: Permits,
    /// Limits concurrent test runs. Tests run next to live traffic, in slots of the pool that are reserved for them.
    pub(super) tests: Permits,
}

/// The bytes of a module file, read once.
pub struct Source {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

/// Handling of a tenant whose saved state cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// Serve the tenant's files and set the unreadable state aside, so that other tenants start normally.
    UseFiles,
    /// Refuse to start. For a process that replaces another one, which still knows the live version.
    Refuse,
}

impl Source {
    pub fn of(bytes: Vec<u8>) -> Source {
        Source { digest: Digest::of(&bytes), bytes }
    }

    pub fn read(module: &ModuleConfig) -> Result<Source, LoadError> {
        read(&module.path).map(Source::of)
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl ReleaseManager {
    pub fn new(loader: Loader, store: Option<Store>) -> ReleaseManager {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let (builds, tests) = (Permits::new(cores), Permits::new(SPARE_TO_TEST));
        ReleaseManager { loader, store, on_damage: OnDamage::UseFiles, builds, tests }
    }

    /// Sets how unreadable state is handled.
    pub fn on_damage(self, on_damage: OnDamage) -> ReleaseManager {
        ReleaseManager { on_damage, ..self }
    }

    pub fn saves_state(&self) -> bool {
        self.store.is_some()
    }
}
