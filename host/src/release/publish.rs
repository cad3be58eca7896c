//! How a version is released: read, build, configure and test it, put it in force, and save it for the next start.

use std::sync::Arc;

use pointsman_rules::config::{ModuleConfig, Stage, TenantConfig};
use pointsman_wasm::module::{LoadError, Module};
use serde_json::Value;

use crate::api::Origin;
use crate::release::manager::{ReleaseManager, Source};
use crate::release::module_tests::{self, TestedVersion, Tests};
use crate::release::saving::NotSaved;
use crate::release::warm_up;
use crate::tenant::Tenant;
use crate::versions::{CannotRollBack, CheckTrigger, FileChange, Files, NoCandidate, ReleaseFailure, Trial, Version};

/// The result of checking a tenant's files.
#[derive(Debug)]
pub enum ReleaseOutcome {
    Unchanged,
    /// Only the tests changed, and the live version passes them: the number of tests.
    Tests(usize),
    Version(Arc<Version>),
}

/// A module that was uploaded and passed every step.
#[derive(Debug)]
pub struct UploadOutcome {
    /// All modules of the version.
    pub modules: Vec<Module>,
    /// Number of tests that ran.
    pub tests: usize,
    /// None: a dry run.
    pub version: Option<Arc<Version>>,
    /// Set if the version could not be saved for the next start.
    pub not_saved: Option<NotSaved>,
}

impl ReleaseManager {
    /// Loads a module for a tenant.
    pub fn build(&self, config: &TenantConfig, module: &ModuleConfig, source: &Source) -> Result<Module, LoadError> {
        let _permit = self.builds.wait();
        let warm_up = warm_up(module, source.bytes.len());
        let loaded = self.loader.load_warm(&source.bytes, module.config.clone(), &config.limits, warm_up.as_ref())?;
        Ok(with_instances(config, loaded))
    }

    /// Reloads a module for another configuration.
    pub fn build_again(
        &self,
        config: &TenantConfig,
        module: &ModuleConfig,
        loaded: &Module,
    ) -> Result<Module, LoadError> {
        let _permit = self.builds.wait();
        let warm_up = warm_up(module, loaded.size());
        let loaded = self.loader.load_again(loaded, module.config.clone(), &config.limits, warm_up.as_ref())?;
        Ok(with_instances(config, loaded))
    }

    /// Runs tests on modules as they would serve a tenant, and returns the number of tests.
    pub fn test(&self, tenant: &Tenant, tests: &[Option<Tests>], modules: &[Module]) -> Result<usize, ReleaseFailure> {
        let _permit = self.tests.wait();
        let reconfigure = |module: &Module, config: &Value| {
            let _permit = self.builds.wait();
            let loaded = self.loader.load_again(module, config.clone(), &tenant.config.limits, None)?;
            Ok(with_instances(&tenant.config, loaded))
        };
        let mut passed: usize = 0;
        for (position, ((tests, config), module)) in tests.iter().zip(&tenant.config.modules).zip(modules).enumerate() {
            let version = TestedVersion { tenant, modules, position, reconfigure: &reconfigure };
            let run = tests.as_ref().map_or(Ok(0), |tests| module_tests::run(tests, &version));
            let run = run.map_err(|error| ReleaseFailure::by_tests(&config.path, Some(module.digest()), &error))?;
            passed = passed.saturating_add(run);
        }
        Ok(passed)
    }

    /// Checks a tenant's files, and releases a version if their modules are new. The caller holds
    /// `VersionState::preparing`.
    pub fn release_files(
        &self,
        tenant: &Tenant,
        origin: Origin,
        trigger: CheckTrigger,
    ) -> Result<ReleaseOutcome, Arc<ReleaseFailure>> {
        let released = self.of_files(tenant, origin, trigger);
        if let Err(refused) = &released {
            tenant.releases.refuse(origin, refused.clone());
        }
        released
    }

    fn of_files(
        &self,
        tenant: &Tenant,
        origin: Origin,
        trigger: CheckTrigger,
    ) -> Result<ReleaseOutcome, Arc<ReleaseFailure>> {
        let config = &tenant.config;
        let mut sources = Vec::new();
        for module in &config.modules {
            sources.push(Source::read(module).map_err(|error| ReleaseFailure::by_load(&module.path, None, &error))?);
        }
        let tests = self.tests(config)?;
        let files = files(&sources, &tests);
        let change = tenant.releases.last_check.lock().change(&files, trigger);
        let done = match change {
            FileChange::Nothing => return Ok(ReleaseOutcome::Unchanged),
            FileChange::Tests => self.test(tenant, &tests, &tenant.releases.live().modules).map(ReleaseOutcome::Tests),
            FileChange::Modules => self.of_sources(tenant, &sources, &tests, origin).map(ReleaseOutcome::Version),
        };
        match &done {
            Ok(_) => {
                tenant.releases.last_check.lock().pass(files);
                let _saving = tenant.releases.saving.lock();
                self.save_or_log(tenant);
            }
            Err(_) => tenant.releases.last_check.lock().refuse(files),
        }
        Ok(done?)
    }

    fn of_sources(
        &self,
        tenant: &Tenant,
        sources: &[Source],
        tests: &[Option<Tests>],
        origin: Origin,
    ) -> Result<Arc<Version>, ReleaseFailure> {
        let config = &tenant.config;
        let mut modules = Vec::new();
        for (module, source) in config.modules.iter().zip(sources) {
            let built = self.build(config, module, source);
            modules.push(built.map_err(|error| ReleaseFailure::by_load(&module.path, Some(source.digest), &error))?);
        }
        self.test(tenant, tests, &modules)?;
        let _saving = tenant.releases.saving.lock();
        self.add(tenant, sources)?;
        Ok(tenant.releases.take(modules, origin, Trial::of(&config.release), &config.release))
    }

    /// Releases a version that is the live one with the module at `position` replaced. Without `trial` it is a dry run.
    /// The caller holds `VersionState::preparing`.
    pub fn upload(
        &self,
        tenant: &Tenant,
        position: usize,
        bytes: Vec<u8>,
        trial: Option<Trial>,
    ) -> Result<UploadOutcome, Arc<ReleaseFailure>> {
        let done = self.of_upload(tenant, position, bytes, trial);
        if let (Err(refused), Some(_)) = (&done, trial) {
            tenant.releases.refuse(Origin::Upload, refused.clone());
        }
        done
    }

    fn of_upload(
        &self,
        tenant: &Tenant,
        position: usize,
        bytes: Vec<u8>,
        trial: Option<Trial>,
    ) -> Result<UploadOutcome, Arc<ReleaseFailure>> {
        let config = &tenant.config;
        let Some(module) = config.modules.get(position) else {
            return Err(Arc::new(ReleaseFailure::no_position(config, position)));
        };
        let source = Source::of(bytes);
        let built = self.build(config, module, &source);
        let built = built.map_err(|error| ReleaseFailure::by_load(&module.path, Some(source.digest), &error))?;
        loop {
            let live = tenant.releases.live();
            let mut modules = live.modules.clone();
            if let Some(place) = modules.get_mut(position) {
                *place = built.clone();
            }
            let tests = self.test(tenant, &self.tests(config)?, &modules)?;
            let Some(trial) = trial else {
                return Ok(UploadOutcome { modules, tests, version: None, not_saved: None });
            };
            let _saving = tenant.releases.saving.lock();
            if !Arc::ptr_eq(&live, &tenant.releases.live()) {
                // The live version changed meanwhile, so the tested combination is not the one that would serve.
                continue;
            }
            self.add(tenant, std::slice::from_ref(&source))?;
            let version = tenant.releases.take(modules.clone(), Origin::Upload, trial, &config.release);
            return Ok(UploadOutcome { modules, tests, version: Some(version), not_saved: self.save(tenant).err() });
        }
    }

    /// Releases modules that were loaded and tested for a new configuration. `sources` are those that came from files.
    pub fn take_configured(&self, tenant: &Tenant, modules: Vec<Module>, sources: &[Source], tests: &[Option<Tests>]) {
        self.pass(tenant, sources, tests, || {
            let config = &tenant.config.release;
            tenant.releases.take(modules, Origin::Config, Trial::of(config), config);
        });
    }

    /// Saves the first version of a tenant, which came from its files and serves already.
    pub fn save_first(&self, tenant: &Tenant, sources: &[Source], tests: &[Option<Tests>]) {
        self.pass(tenant, sources, tests, || {});
    }

    /// Called once a tenant's files have passed: stores their modules, switches the serving version, and saves both for
    /// the next start.
    fn pass(&self, tenant: &Tenant, sources: &[Source], tests: &[Option<Tests>], serve: impl FnOnce()) {
        let _saving = tenant.releases.saving.lock();
        if let Err(refused) = self.add(tenant, sources) {
            tracing::error!(tenant = %tenant.name, error = %refused, "cannot save a module for the next start");
        }
        tenant.releases.last_check.lock().pass(files(sources, tests));
        serve();
        self.save_or_log(tenant);
    }

    /// Moves the candidate to a later stage or a larger share, and saves the result.
    pub fn promote(&self, tenant: &Tenant, to: Option<Stage>, percent: Option<u32>) -> Result<Trial, NoCandidate> {
        let _saving = tenant.releases.saving.lock();
        let trial = tenant.releases.promote(to, percent, BY_ORDER, &tenant.config.release)?;
        self.save_or_log(tenant);
        Ok(trial)
    }

    /// Aborts the candidate's trial.
    pub fn abort(&self, tenant: &Tenant) -> Result<(), NoCandidate> {
        let _saving = tenant.releases.saving.lock();
        tenant.releases.abort(BY_ORDER, &tenant.config.release)?;
        self.save_or_log(tenant);
        Ok(())
    }

    /// Rolls back and saves the result. Immediate, unless the version's modules have to be loaded first because nothing
    /// has needed it since the proxy was started.
    pub fn roll_back(&self, tenant: &Tenant, to: Option<u64>) -> Result<Arc<Version>, CannotRollBack> {
        let entry = tenant.releases.rollback_target(to)?;
        let version = match &entry.version {
            Some(version) => version.clone(),
            None => {
                let loaded = self.load_entry(&tenant.config, &entry);
                Arc::new(loaded.map_err(|error| CannotRollBack::NotLoaded {
                    number: entry.number,
                    message: pointsman_rules::text::chain(&error),
                })?)
            }
        };
        let _saving = tenant.releases.saving.lock();
        if tenant.releases.live().number == version.number {
            return Err(CannotRollBack::IsLive(version.number));
        }
        tenant.releases.roll_back(&version, BY_ORDER, &tenant.config.release);
        self.save_or_log(tenant);
        Ok(version)
    }

    /// Stops a tenant from taking new requests, or lets it take them again; this survives a restart.
    pub fn drain(&self, tenant: &Tenant, drained: bool) {
        let _saving = tenant.releases.saving.lock();
        tenant.drain(drained);
        self.save_or_log(tenant);
    }

    /// Number of tests next to a tenant's modules, which have passed.
    pub fn count_tests(&self, config: &TenantConfig) -> usize {
        let tests = self.tests(config).unwrap_or_default();
        tests.iter().flatten().map(|tests| tests.count().unwrap_or_default()).sum()
    }

    /// Reads the tests next to a tenant's modules.
    pub fn tests(&self, config: &TenantConfig) -> Result<Vec<Option<Tests>>, ReleaseFailure> {
        let read = |module: &ModuleConfig| {
            Tests::beside(&module.path).map_err(|error| ReleaseFailure::by_tests(&module.path, None, &error))
        };
        config.modules.iter().map(read).collect()
    }
}

/// The reason that the history gives for an operator's change.
const BY_ORDER: &str = "requested by an operator";

fn files(sources: &[Source], tests: &[Option<Tests>]) -> Files {
    Files {
        modules: sources.iter().map(|source| source.digest).collect(),
        tests: tests.iter().map(|tests| tests.as_ref().map(Tests::digest)).collect(),
    }
}

/// Applies the tenant's settings for reusing instances to a module.
fn with_instances(config: &TenantConfig, loaded: Module) -> Module {
    match config.rewind {
        true => loaded.with_instance_calls(config.instance_calls),
        false => loaded.without_rewinding(),
    }
}
