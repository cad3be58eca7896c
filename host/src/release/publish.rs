//! How a new version comes about: read, build, configure, test; then it is taken, and kept for the next start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::config::{ModuleConfig, Stage, TenantConfig};
use crate::module::{Digest, LoadError, Loader, Module, read};
use crate::release::store::{Kept, Store, StoreError};
use crate::release::vectors::{self, TestError};
use crate::release::{CannotRollBack, NoCandidate, Origin, Version};
use crate::server::StartError;
use crate::tenant::Tenant;

/// Prepares versions, and keeps what has to outlive the process.
pub struct Publisher {
    pub loader: Loader,
    store: Option<Store>,
}

/// A step of the way from a file to what serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Read,
    Build,
    Configure,
    Limits,
    Test,
    Keep,
}

/// A new version that did not pass a step.
#[derive(Debug)]
pub struct Refused {
    pub step: Step,
    /// The module's file, as the configuration names it.
    pub path: PathBuf,
    pub digest: Option<Digest>,
    message: String,
}

/// A version that has passed every step.
#[derive(Debug)]
pub struct Prepared {
    pub modules: Vec<Module>,
    /// Tests that were run.
    pub tests: usize,
}

/// A module of a new version.
struct Source {
    bytes: Vec<u8>,
    digest: Digest,
}

/// What the file of a module is now, and the digest of the tests beside it, if there are any.
fn files(module: &ModuleConfig) -> Result<(Source, Option<Digest>), LoadError> {
    let bytes = read(&module.path)?;
    let digest = Digest::of(&bytes);
    let tests = match vectors::read(&vectors::tests_beside(&module.path)) {
        Ok(tests) => tests.map(|tests| Digest::of(&tests)),
        // They are new too, and refused when they are to be run.
        Err(error) => Some(Digest::of(error.to_string().as_bytes())),
    };
    Ok((Source { bytes, digest }, tests))
}

impl Publisher {
    pub fn new(loader: Loader, store: Option<Store>) -> Publisher {
        Publisher { loader, store }
    }

    pub fn keeps_state(&self) -> bool {
        self.store.is_some()
    }

    /// Loads a module for a tenant.
    pub fn load(&self, config: &TenantConfig, module: &ModuleConfig) -> Result<Module, LoadError> {
        self.built(config, module, &read(&module.path)?)
    }

    /// Loads a module that is kept, if it is.
    pub fn load_kept(
        &self,
        config: &TenantConfig,
        module: &ModuleConfig,
        digest: Digest,
    ) -> Option<Result<Module, LoadError>> {
        let bytes = self.store.as_ref()?.get(&digest.full())?;
        Some(self.built(config, module, &bytes))
    }

    fn built(&self, config: &TenantConfig, module: &ModuleConfig, bytes: &[u8]) -> Result<Module, LoadError> {
        let loaded = self.loader.load(bytes, module.config.clone(), &config.limits)?;
        Ok(loaded.with_instance_calls(config.instance_calls))
    }

    /// What the files of a tenant are now: its modules, and the tests beside them.
    pub fn file_digests(&self, config: &TenantConfig) -> Result<Vec<Digest>, LoadError> {
        let mut digests = Vec::new();
        for module in &config.modules {
            let (source, tests) = files(module)?;
            digests.extend([Some(source.digest), tests].into_iter().flatten());
        }
        Ok(digests)
    }

    /// What served a tenant last, if its modules are there still.
    pub fn last_good(&self, config: &TenantConfig) -> Option<(Kept, Vec<Module>)> {
        let store = self.store.as_ref()?;
        let kept = match store.kept(&config.name) {
            Ok(kept) => kept?,
            Err(error) => {
                tracing::error!(tenant = %config.name, %error, "what served last is not known");
                return None;
            }
        };
        if kept.modules.len() != config.modules.len() {
            return None;
        }
        let mut modules = Vec::new();
        for (digest, module) in kept.modules.iter().zip(&config.modules) {
            match store.get(digest).map(|bytes| self.built(config, module, &bytes)) {
                Some(Ok(loaded)) => modules.push(loaded),
                Some(Err(error)) => {
                    tracing::error!(tenant = %config.name, module = digest, %error, "what served last cannot be loaded");
                    return None;
                }
                None => {
                    tracing::error!(tenant = %config.name, module = digest, "what served last is gone from proxy.state_dir");
                    return None;
                }
            }
        }
        Some((kept, modules))
    }

    /// Runs the tests of a tenant's modules; the number there were.
    pub fn test(&self, tenant: &Tenant, modules: &[Module]) -> Result<usize, Refused> {
        let mut tests: usize = 0;
        for (module, config) in modules.iter().zip(&tenant.config.modules) {
            let run = vectors::run(&vectors::tests_beside(&config.path), tenant, modules);
            tests = tests.saturating_add(run.map_err(|error| Refused::by_tests(&config.path, module, &error))?);
        }
        Ok(tests)
    }

    /// Makes a version of what the tenant's files are now. None: they are what they were.
    pub fn from_files(&self, tenant: &Tenant, origin: Origin) -> Result<Option<Arc<Version>>, Arc<Refused>> {
        let _one_at_a_time = tenant.releases.preparing.lock();
        let taken = self.of_files(tenant, origin);
        if let Err(refused) = &taken {
            tenant.releases.refuse(origin, refused.clone());
        }
        let taken = taken?;
        if taken.is_some() {
            self.keep(tenant);
        }
        Ok(taken)
    }

    fn of_files(&self, tenant: &Tenant, origin: Origin) -> Result<Option<Arc<Version>>, Arc<Refused>> {
        let (mut sources, mut digests) = (Vec::new(), Vec::new());
        for module in &tenant.config.modules {
            let (source, tests) = files(module).map_err(|error| Refused::by_load(&module.path, None, &error))?;
            digests.extend([Some(source.digest), tests].into_iter().flatten());
            sources.push(source);
        }
        if !tenant.releases.files_are_new(digests) {
            return Ok(None);
        }
        let Prepared { modules, .. } = self.prepare(tenant, &sources)?;
        Ok(Some(tenant.releases.take(modules, origin, tenant.config.release.stage, &tenant.config.release)))
    }

    /// Makes a version of the live one with another module at a position. With `stage` None it is only tried.
    pub fn from_upload(
        &self,
        tenant: &Tenant,
        position: usize,
        bytes: Vec<u8>,
        stage: Option<Stage>,
    ) -> Result<(Prepared, Option<Arc<Version>>), Arc<Refused>> {
        let _one_at_a_time = tenant.releases.preparing.lock();
        let done = self.of_upload(tenant, position, bytes, stage);
        if let (Err(refused), Some(_)) = (&done, stage) {
            tenant.releases.refuse(Origin::Upload, refused.clone());
        }
        let done = done?;
        if done.1.is_some() {
            self.keep(tenant);
        }
        Ok(done)
    }

    fn of_upload(
        &self,
        tenant: &Tenant,
        position: usize,
        bytes: Vec<u8>,
        stage: Option<Stage>,
    ) -> Result<(Prepared, Option<Arc<Version>>), Arc<Refused>> {
        let path = tenant.config.modules.get(position).map(|module| module.path.clone()).unwrap_or_default();
        let source = Source { digest: Digest::of(&bytes), bytes };
        if let (Some(store), Some(_)) = (&self.store, stage) {
            store.add(&source.bytes).map_err(|error| Refused::by_store(&path, source.digest, &error))?;
        }
        let mut modules = tenant.releases.live().modules.clone();
        let built = self.build(tenant, position, &source)?;
        if let Some(place) = modules.get_mut(position) {
            *place = built;
        }
        let tests = self.test(tenant, &modules)?;
        let version =
            stage.map(|stage| tenant.releases.take(modules.clone(), Origin::Upload, stage, &tenant.config.release));
        Ok((Prepared { modules, tests }, version))
    }

    /// Takes modules that were loaded, and tested, for a new configuration.
    pub fn take_configured(&self, tenant: &Tenant, modules: Vec<Module>) {
        let _one_at_a_time = tenant.releases.preparing.lock();
        // They could be read a moment ago.
        tenant.releases.files_are_new(self.file_digests(&tenant.config).unwrap_or_default());
        tenant.releases.take(modules, Origin::Config, tenant.config.release.stage, &tenant.config.release);
        self.keep_first(tenant);
    }

    fn prepare(&self, tenant: &Tenant, sources: &[Source]) -> Result<Prepared, Arc<Refused>> {
        let mut modules = Vec::new();
        for (position, source) in sources.iter().enumerate() {
            modules.push(self.build(tenant, position, source)?);
        }
        let tests = self.test(tenant, &modules)?;
        if let (Some(store), Some(module)) = (&self.store, tenant.config.modules.first()) {
            for source in sources {
                store.add(&source.bytes).map_err(|error| Refused::by_store(&module.path, source.digest, &error))?;
            }
        }
        Ok(Prepared { modules, tests })
    }

    fn build(&self, tenant: &Tenant, position: usize, source: &Source) -> Result<Module, Refused> {
        let missing = ModuleConfig { path: PathBuf::new(), config: Value::Null };
        let module = tenant.config.modules.get(position).unwrap_or(&missing);
        self.built(&tenant.config, module, &source.bytes)
            .map_err(|error| Refused::by_load(&module.path, Some(source.digest), &error))
    }

    /// Lets the candidate go on, and keeps what serves then.
    pub fn promote(&self, tenant: &Tenant, to: Option<Stage>) -> Result<Stage, NoCandidate> {
        let _one_at_a_time = tenant.releases.preparing.lock();
        let stage = tenant.releases.promote(to, "by order", &tenant.config.release)?;
        self.keep(tenant);
        Ok(stage)
    }

    /// Goes back, and keeps what serves then.
    pub fn roll_back(&self, tenant: &Tenant, to: Option<u64>) -> Result<Arc<Version>, CannotRollBack> {
        let _one_at_a_time = tenant.releases.preparing.lock();
        let version = tenant.releases.roll_back(to, "by order", &tenant.config.release)?;
        self.keep(tenant);
        Ok(version)
    }

    /// Keeps the modules of a tenant's first version, which came from its files.
    pub fn keep_first(&self, tenant: &Tenant) {
        if let Some(store) = &self.store {
            for module in &tenant.config.modules {
                let added = read(&module.path).map_err(|error| error.to_string());
                let added = added.and_then(|bytes| store.add(&bytes).map_err(|error| error.to_string()));
                if let Err(error) = added {
                    tracing::error!(tenant = %tenant.name, error, "a module cannot be kept in proxy.state_dir");
                    return;
                }
            }
            self.keep(tenant);
        }
    }

    /// Notes what serves a tenant, for the next start.
    pub fn keep(&self, tenant: &Tenant) {
        let Some(store) = &self.store else { return };
        let live = tenant.releases.live();
        let kept = Kept {
            number: live.number,
            modules: live.digests().map(|digest| digest.full()).collect(),
            files: tenant.releases.files().iter().map(Digest::full).collect(),
        };
        match store.keep(&tenant.name, &kept) {
            Ok(()) => tenant.releases.kept(live.number),
            Err(error) => {
                tracing::error!(tenant = %tenant.name, %error, "what serves now is not kept for the next start");
            }
        }
    }

    /// Lets go of modules that no version of these tenants has.
    pub fn sweep<'t>(&self, tenants: impl Iterator<Item = &'t Arc<Tenant>>) {
        let Some(store) = &self.store else { return };
        let in_use: Vec<Digest> = tenants
            .flat_map(|tenant| tenant.releases.entries())
            .flat_map(|entry| entry.version.digests().collect::<Vec<_>>())
            .collect();
        if let Err(error) = store.sweep(&in_use) {
            tracing::warn!(%error, "old modules stay in proxy.state_dir");
        }
    }
}

impl Refused {
    fn by_load(path: &Path, digest: Option<Digest>, error: &LoadError) -> Refused {
        let step = match error {
            LoadError::Read { .. } | LoadError::TooLarge { .. } => Step::Read,
            LoadError::NeedsTooMuch { .. } => Step::Limits,
            error if error.is_of_configure() => Step::Configure,
            _ => Step::Build,
        };
        Refused { step, path: path.to_owned(), digest, message: crate::text::chain(error) }
    }

    /// For a tenant whose files could not be loaded when the proxy started.
    pub fn at_start(config: &TenantConfig, error: Option<&StartError>) -> Refused {
        let first = config.modules.first().map(|module| module.path.clone()).unwrap_or_default();
        match error {
            Some(StartError::Module { path, source, .. }) => Refused::by_load(path, None, source),
            Some(other) => Refused { step: Step::Build, path: first, digest: None, message: other.to_string() },
            None => Refused { step: Step::Build, path: first, digest: None, message: String::new() },
        }
    }

    fn by_tests(path: &Path, module: &Module, error: &TestError) -> Refused {
        Refused { step: Step::Test, path: path.to_owned(), digest: Some(module.digest()), message: error.to_string() }
    }

    fn by_store(path: &Path, digest: Digest, error: &StoreError) -> Refused {
        Refused { step: Step::Keep, path: path.to_owned(), digest: Some(digest), message: error.to_string() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module `{}`: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for Refused {}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Read => "read",
            Step::Build => "build",
            Step::Configure => "configure",
            Step::Limits => "limits",
            Step::Test => "test",
            Step::Keep => "keep",
        }
    }
}
