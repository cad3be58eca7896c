//! How a new version comes about: read, build, configure, test; then it is taken, and kept for the next start.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use pointsman_rules::config::{ModuleConfig, Stage, TenantConfig};
use pointsman_system::permits::Permits;
use pointsman_wasm::engine::SPARE_TO_TEST;
use pointsman_wasm::module::{Digest, LoadError, Loader, Module, read};

use crate::release::files::{Files, News};
use crate::release::store::{Kept, Store, StoreError};
use crate::release::vectors::{self, Tests};
use crate::release::{Asked, CannotRollBack, Entry, NoCandidate, Origin, Refused, Trial, Version, warm_up};
use crate::tenant::Tenant;

/// Prepares versions, and keeps what has to outlive the process.
pub struct Publisher {
    loader: Loader,
    store: Option<Store>,
    on_damage: OnDamage,
    /// Builds at the same time: as many as there are cores.
    builds: Permits,
    /// Tests at the same time. They decide beside the traffic, in slots of the pool that are spared for them.
    tests: Permits,
}

/// The file of a module, read once.
pub struct Source {
    bytes: Vec<u8>,
    digest: Digest,
}

/// What became of a tenant's files.
#[derive(Debug)]
pub enum Released {
    Nothing,
    /// The tests changed, and what serves passes them: so many.
    Tests(usize),
    Version(Arc<Version>),
}

/// A module that was uploaded and passed every step.
#[derive(Debug)]
pub struct Uploaded {
    /// All modules of the version.
    pub modules: Vec<Module>,
    /// Tests that were run.
    pub tests: usize,
    /// None: it was only tried.
    pub version: Option<Arc<Version>>,
    /// Why the next start would not find it, if it would not.
    pub not_kept: Option<NotKept>,
}

/// What becomes of a tenant whose state cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDamage {
    /// Its files serve, and what could not be read is set aside: one tenant keeps no other from being served.
    UseFiles,
    /// It is refused. For a process that takes another's place, which still knows what serves.
    Refuse,
}

/// What serves is not what the next start would find. It is tried again about every second.
#[derive(Debug, thiserror::Error)]
#[error("done, but not kept: {now} now; after a restart: {then}; it is tried again every second")]
pub struct NotKept {
    now: String,
    then: String,
    source: StoreError,
}

/// Why what served last cannot be loaded.
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

/// What served a tenant when another process ended.
pub struct LastServed {
    pub live: Version,
    pub rest: Rest,
}

/// What is to be known of it beside the live version.
pub struct Rest {
    candidate: Option<(Version, Trial)>,
    previous: Option<Version>,
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

impl Publisher {
    pub fn new(loader: Loader, store: Option<Store>) -> Publisher {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let (builds, tests) = (Permits::new(cores), Permits::new(SPARE_TO_TEST));
        Publisher { loader, store, on_damage: OnDamage::UseFiles, builds, tests }
    }

    /// The same for a process that does otherwise where the state cannot be read.
    pub fn on_damage(self, on_damage: OnDamage) -> Publisher {
        Publisher { on_damage, ..self }
    }

    pub fn keeps_state(&self) -> bool {
        self.store.is_some()
    }

    /// Loads a module for a tenant.
    pub fn build(&self, config: &TenantConfig, module: &ModuleConfig, source: &Source) -> Result<Module, LoadError> {
        let _permit = self.builds.wait();
        let warm_up = warm_up(module, source.bytes.len());
        let loaded = self.loader.load_warm(&source.bytes, module.config.clone(), &config.limits, warm_up.as_ref())?;
        Ok(with_instances(config, loaded))
    }

    /// Loads a module again, for another configuration.
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

    /// Runs tests on modules as they would serve a tenant; the number there were.
    pub fn test(&self, tenant: &Tenant, tests: &[Option<Tests>], modules: &[Module]) -> Result<usize, Refused> {
        let _permit = self.tests.wait();
        let mut passed: usize = 0;
        for ((tests, config), module) in tests.iter().zip(&tenant.config.modules).zip(modules) {
            let run = tests.as_ref().map_or(Ok(0), |tests| vectors::run(tests, tenant, modules));
            let run = run.map_err(|error| Refused::by_tests(&config.path, Some(module.digest()), &error))?;
            passed = passed.saturating_add(run);
        }
        Ok(passed)
    }

    /// What is kept of a tenant. None: nothing is known of it, or what there was is damaged and has been set aside.
    pub fn kept(&self, tenant: &str) -> Result<Option<Kept>, StoreError> {
        let Some(store) = &self.store else { return Ok(None) };
        let error = match store.kept(tenant) {
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

    /// What served a tenant when another process ended, or why it can't be loaded.
    pub fn last_served(&self, config: &TenantConfig, kept: &Kept) -> Result<LastServed, NotLoaded> {
        let live = self.load_entry(config, kept.live().ok_or(NotLoaded::NoVersion)?)?;
        let version = |entry: &Entry| {
            let told = |error: &NotLoaded| {
                let why = pointsman_rules::text::chain(error);
                tracing::error!(tenant = %config.name, version = entry.number, why, "it cannot be loaded again");
            };
            self.load_entry(config, entry).inspect_err(told).ok()
        };
        let candidate = kept.candidate().and_then(|(entry, trial)| Some((version(entry)?, trial)));
        let previous = kept.previous().and_then(version);
        Ok(LastServed { live, rest: Rest { candidate, previous } })
    }

    /// Whether a start is refused since what served last cannot be loaded.
    pub fn refuses(&self, error: &NotLoaded) -> bool {
        self.on_damage == OnDamage::Refuse && matches!(error, NotLoaded::Gone { .. })
    }

    /// Lets a tenant go on where another process ended.
    pub fn go_on(&self, tenant: &Tenant, kept: Kept, rest: Rest) {
        tenant.drain(kept.drained);
        tenant.releases.go_on(kept, rest.candidate, rest.previous, &tenant.config.release);
    }

    /// The modules of a version that is kept.
    fn load_entry(&self, config: &TenantConfig, entry: &Entry) -> Result<Version, NotLoaded> {
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

    /// Looks at a tenant's files, and makes a version of them if their modules are new. Whoever calls it holds
    /// `Releases::preparing`.
    pub fn release_files(&self, tenant: &Tenant, origin: Origin, asked: Asked) -> Result<Released, Arc<Refused>> {
        let released = self.of_files(tenant, origin, asked);
        if let Err(refused) = &released {
            tenant.releases.refuse(origin, refused.clone());
        }
        released
    }

    fn of_files(&self, tenant: &Tenant, origin: Origin, asked: Asked) -> Result<Released, Arc<Refused>> {
        let config = &tenant.config;
        let mut sources = Vec::new();
        for module in &config.modules {
            sources.push(Source::read(module).map_err(|error| Refused::by_load(&module.path, None, &error))?);
        }
        let tests = self.tests(config)?;
        let files = files(&sources, &tests);
        let news = tenant.releases.seen.lock().news(&files, asked);
        let done = match news {
            News::Nothing => return Ok(Released::Nothing),
            News::Tests => self.test(tenant, &tests, &tenant.releases.live().modules).map(Released::Tests),
            News::Modules => self.of_sources(tenant, &sources, &tests, origin).map(Released::Version),
        };
        match &done {
            Ok(_) => {
                tenant.releases.seen.lock().pass(files);
                let _keeping = tenant.releases.keeping.lock();
                self.keep_or_tell(tenant);
            }
            Err(_) => tenant.releases.seen.lock().refuse(files),
        }
        Ok(done?)
    }

    fn of_sources(
        &self,
        tenant: &Tenant,
        sources: &[Source],
        tests: &[Option<Tests>],
        origin: Origin,
    ) -> Result<Arc<Version>, Refused> {
        let config = &tenant.config;
        let mut modules = Vec::new();
        for (module, source) in config.modules.iter().zip(sources) {
            let built = self.build(config, module, source);
            modules.push(built.map_err(|error| Refused::by_load(&module.path, Some(source.digest), &error))?);
        }
        self.test(tenant, tests, &modules)?;
        let _keeping = tenant.releases.keeping.lock();
        self.add(tenant, sources)?;
        Ok(tenant.releases.take(modules, origin, Trial::of(&config.release), &config.release))
    }

    /// Makes a version of the live one with another module at a position. Without `trial` it is only tried. Whoever
    /// calls it holds `Releases::preparing`.
    pub fn upload(
        &self,
        tenant: &Tenant,
        position: usize,
        bytes: Vec<u8>,
        trial: Option<Trial>,
    ) -> Result<Uploaded, Arc<Refused>> {
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
    ) -> Result<Uploaded, Arc<Refused>> {
        let config = &tenant.config;
        let Some(module) = config.modules.get(position) else {
            return Err(Arc::new(Refused::no_position(config, position)));
        };
        let source = Source::of(bytes);
        let built = self.build(config, module, &source);
        let built = built.map_err(|error| Refused::by_load(&module.path, Some(source.digest), &error))?;
        loop {
            let live = tenant.releases.live();
            let mut modules = live.modules.clone();
            if let Some(place) = modules.get_mut(position) {
                *place = built.clone();
            }
            let tests = self.test(tenant, &self.tests(config)?, &modules)?;
            let Some(trial) = trial else {
                return Ok(Uploaded { modules, tests, version: None, not_kept: None });
            };
            let _keeping = tenant.releases.keeping.lock();
            if !Arc::ptr_eq(&live, &tenant.releases.live()) {
                // It was rolled back meanwhile: what was tested is not what would serve.
                continue;
            }
            self.add(tenant, std::slice::from_ref(&source))?;
            let version = tenant.releases.take(modules.clone(), Origin::Upload, trial, &config.release);
            return Ok(Uploaded { modules, tests, version: Some(version), not_kept: self.keep(tenant).err() });
        }
    }

    /// Takes modules that were loaded and tested for a new configuration. `sources` are those that came from files.
    pub fn take_configured(&self, tenant: &Tenant, modules: Vec<Module>, sources: &[Source], tests: &[Option<Tests>]) {
        self.pass(tenant, sources, tests, || {
            let config = &tenant.config.release;
            tenant.releases.take(modules, Origin::Config, Trial::of(config), config);
        });
    }

    /// Keeps the first version of a tenant, which came from its files and serves already.
    pub fn keep_first(&self, tenant: &Tenant, sources: &[Source], tests: &[Option<Tests>]) {
        self.pass(tenant, sources, tests, || {});
    }

    /// A tenant's files have passed: their modules are added, what serves changes, and both are kept for the next
    /// start.
    fn pass(&self, tenant: &Tenant, sources: &[Source], tests: &[Option<Tests>], serve: impl FnOnce()) {
        let _keeping = tenant.releases.keeping.lock();
        if let Err(refused) = self.add(tenant, sources) {
            tracing::error!(tenant = %tenant.name, error = %refused, "a module is not kept for the next start");
        }
        tenant.releases.seen.lock().pass(files(sources, tests));
        serve();
        self.keep_or_tell(tenant);
    }

    /// Lets the candidate go on, and keeps what serves then.
    pub fn promote(&self, tenant: &Tenant, to: Option<Stage>, percent: Option<u32>) -> Result<Trial, NoCandidate> {
        let _keeping = tenant.releases.keeping.lock();
        let trial = tenant.releases.promote(to, percent, BY_ORDER, &tenant.config.release)?;
        self.keep_or_tell(tenant);
        Ok(trial)
    }

    /// Ends the candidate's trial.
    pub fn abort(&self, tenant: &Tenant) -> Result<(), NoCandidate> {
        let _keeping = tenant.releases.keeping.lock();
        tenant.releases.abort(BY_ORDER, &tenant.config.release)?;
        self.keep_or_tell(tenant);
        Ok(())
    }

    /// Goes back, and keeps what serves then. At once, unless the version has not been needed since the proxy was
    /// started.
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
        let _keeping = tenant.releases.keeping.lock();
        if tenant.releases.live().number == version.number {
            return Err(CannotRollBack::IsLive(version.number));
        }
        tenant.releases.roll_back(&version, BY_ORDER, &tenant.config.release);
        self.keep_or_tell(tenant);
        Ok(version)
    }

    /// Lets a tenant take no new requests, or take them again; also after a restart.
    pub fn drain(&self, tenant: &Tenant, drained: bool) {
        let _keeping = tenant.releases.keeping.lock();
        tenant.drain(drained);
        self.keep_or_tell(tenant);
    }

    /// Keeps what changed by itself.
    pub fn keep_changed(&self, tenant: &Tenant) {
        if let Err(error) = self.ensure_kept(tenant) {
            tell(tenant, &error);
        }
    }

    /// Makes sure that the next start would find what serves now.
    pub fn ensure_kept(&self, tenant: &Tenant) -> Result<(), NotKept> {
        let _keeping = tenant.releases.keeping.lock();
        if tenant.releases.is_to_be_kept() { self.keep(tenant) } else { Ok(()) }
    }

    fn keep_or_tell(&self, tenant: &Tenant) {
        if let Err(error) = self.keep(tenant) {
            tell(tenant, &error);
        }
    }

    /// Notes what serves a tenant, for the next start.
    fn keep(&self, tenant: &Tenant) -> Result<(), NotKept> {
        let kept = tenant.releases.to_keep(tenant.is_drained());
        let Some(store) = &self.store else { return Ok(()) };
        store.keep(&tenant.name, &kept).map_err(|source| {
            tenant.releases.is_still_to_be_kept();
            let then = match store.kept(&tenant.name) {
                Ok(Some(before)) => before.to_string(),
                Ok(None) => "the configured files serve".to_owned(),
                Err(_) => "not known".to_owned(),
            };
            NotKept { now: kept.to_string(), then, source }
        })
    }

    fn add(&self, tenant: &Tenant, sources: &[Source]) -> Result<(), Refused> {
        let Some(store) = &self.store else { return Ok(()) };
        for source in sources {
            let added = store.add(&tenant.name, &source.bytes);
            added.map_err(|error| Refused::by_store(tenant, source.digest, &error))?;
        }
        Ok(())
    }

    /// The tests beside a tenant's modules.
    pub fn tests(&self, config: &TenantConfig) -> Result<Vec<Option<Tests>>, Refused> {
        let read = |module: &ModuleConfig| {
            Tests::beside(&module.path).map_err(|error| Refused::by_tests(&module.path, None, &error))
        };
        config.modules.iter().map(read).collect()
    }

    /// Removes what no tenant refers to.
    pub fn sweep(&self) {
        if let Some(Err(error)) = self.store.as_ref().map(Store::sweep) {
            tracing::warn!(%error, "old modules stay in proxy.state_dir");
        }
    }
}

fn tell(tenant: &Tenant, error: &NotKept) {
    tracing::error!(tenant = %tenant.name, error = pointsman_rules::text::chain(error), "what serves now is not kept for the next start");
}

/// What the history says of a change that an operator wanted.
const BY_ORDER: &str = "requested by an operator";

fn files(sources: &[Source], tests: &[Option<Tests>]) -> Files {
    Files {
        modules: sources.iter().map(|source| source.digest).collect(),
        tests: tests.iter().map(|tests| tests.as_ref().map(Tests::digest)).collect(),
    }
}

/// A module whose instances are used as its tenant's configuration has it.
fn with_instances(config: &TenantConfig, loaded: Module) -> Module {
    match config.rewind {
        true => loaded.with_instance_calls(config.instance_calls),
        false => loaded.without_rewinding(),
    }
}
