//! Loads a module file: builds it, links it, and shares it between tenants. Building is the slow step: it is done once
//! for all tenants with the same file, cached on disk, and never done in a request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use pointsman_rewind::{FixedMemoryEngine, Rewinder};
use pointsman_rules::config::{Class, TenantLimits};
use pointsman_rules::decision_cache::Root;
use pointsman_rules::settings::ModuleSettings;
use pointsman_system::read_file::{ReadError, read_at_most};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::abi::Layout;
use crate::abi::v0_1::{Added, RouterPre};
use crate::call::{Callee, InstancePool, Instances, PoolBudget, PooledInstance, Program, Ticker};
use crate::engine::{DebugInfo, EngineError, engine};
use crate::module::artefact::{Configure, Facts, Rewinding, Warmth};
use crate::module::build::{Source, build, exports_configure};
use crate::module::cache::{Cache, CachedArtefact, Key};
use crate::module::child::build_in_child;
use crate::module::linking::{export_of, linker, linker_for, wrong_type};
use crate::module::packed::CompressedModule;
use crate::module::vma_limit::VmaLimit;
use crate::module::world::CONFIGURE;
use crate::module::{Digest, FolderError, LoadError, Needs, WarmUp, world};
use crate::state::State;

/// Largest module file, in bytes. The largest that a known toolchain makes, CPython's, has 18 MB.
pub const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// A module that is ready to decide.
#[derive(Clone)]
pub struct Module {
    compiled: Arc<CompiledModule>,
    callee: Callee,
    /// The root of its cached decisions.
    root: Arc<Root>,
}

/// The part of a module that tenants share if they have the same module file and, if its state depends on them, the
/// same configuration, limits and warm-up requests.
struct CompiledModule {
    about: FileFacts,
    program: Arc<Program>,
    watches_upstreams: bool,
    class: Class,
    needs: Needs,
    warmth: Warmth,
    rewinding: Rewinding,
    file: Arc<CompressedModule>,
}

/// Facts about a module's file.
#[derive(Clone, Copy)]
struct FileFacts {
    digest: Digest,
    exports_configure: bool,
}

/// Where modules are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildIn {
    /// For your own modules: nothing bounds a build.
    ThisProcess,
    /// This program must be `pointsman` itself.
    ChildProcess,
}

/// Loads modules for one engine. A module that tenants share is built once.
pub struct Loader {
    engine: FixedMemoryEngine,
    linker: Linker<State>,
    build_in: BuildIn,
    cache: Option<Cache>,
    /// Modules that are in use somewhere.
    known: Mutex<HashMap<Key, Weak<CompiledModule>>>,
    ticker: Arc<Ticker>,
    /// The budget of pooled instances, of all modules.
    budget: Arc<PoolBudget<PooledInstance>>,
    mappings: VmaLimit,
    /// Layout of answers; known from the first instrumented module on.
    layout: OnceLock<Arc<Layout>>,
}

impl Loader {
    /// A loader with an engine of its own, for modules of which `threads` instances may decide at the same time. In
    /// addition, `kept` instances may be kept to decide again.
    pub fn new(threads: usize, kept: usize) -> Result<Loader, EngineError> {
        Loader::of_engine(engine(threads, kept, DebugInfo::Ignore)?)
    }

    /// The same for the author's own modules: where they fail, their debug information is read.
    pub fn reading_debug_info(threads: usize, kept: usize) -> Result<Loader, EngineError> {
        Loader::of_engine(engine(threads, kept, DebugInfo::Read)?)
    }

    fn of_engine(engine: FixedMemoryEngine) -> Result<Loader, EngineError> {
        let linker = linker(&engine)?;
        let ticker = Arc::new(Ticker::start(&engine)?);
        let (build_in, known) = (BuildIn::ThisProcess, Mutex::default());
        let (budget, mappings, layout) = (Arc::default(), VmaLimit::of_system(), OnceLock::new());
        Ok(Loader { engine, linker, build_in, cache: None, known, ticker, budget, mappings, layout })
    }

    pub fn build_in(self, build_in: BuildIn) -> Loader {
        Loader { build_in, ..self }
    }

    /// Caches the modules that it builds in this folder, which may grow to `most_bytes`.
    pub fn with_cache(self, folder: &Path, most_bytes: u64) -> Result<Loader, FolderError> {
        Ok(Loader { cache: Some(Cache::open(folder, most_bytes, &self.engine)?), ..self })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a file for a tenant with these limits.
    pub fn load_file(
        &self,
        path: &Path,
        settings: serde_json::Value,
        limits: &TenantLimits,
    ) -> Result<Module, LoadError> {
        self.load(&read(path)?, settings, limits)
    }

    /// Loads a module from memory.
    pub fn load(&self, bytes: &[u8], settings: serde_json::Value, limits: &TenantLimits) -> Result<Module, LoadError> {
        self.load_warm(bytes, settings, limits, None)
    }

    /// Loads a module whose instances start with the state that these requests leave, if that is sound.
    pub fn load_warm(
        &self,
        bytes: &[u8],
        settings: serde_json::Value,
        limits: &TenantLimits,
        warm_up: Option<&WarmUp>,
    ) -> Result<Module, LoadError> {
        let about = FileFacts { digest: Digest::of(bytes), exports_configure: exports_configure(bytes) };
        self.known_or_built(about, || Ok(bytes.into()), settings, limits, warm_up)
    }

    /// The same module with other settings, or for a tenant with other limits.
    pub fn load_again(
        &self,
        module: &Module,
        settings: serde_json::Value,
        limits: &TenantLimits,
        warm_up: Option<&WarmUp>,
    ) -> Result<Module, LoadError> {
        let compiled = &module.compiled;
        let file = || compiled.file.file().map(Cow::from).map_err(no_memory);
        self.known_or_built(compiled.about, file, settings, limits, warm_up)
    }

    /// Takes a module that is in use somewhere as it is, without reading `file`, and builds any other.
    fn known_or_built<'a>(
        &self,
        about: FileFacts,
        file: impl FnOnce() -> Result<Cow<'a, [u8]>, LoadError>,
        settings: serde_json::Value,
        limits: &TenantLimits,
        warm_up: Option<&WarmUp>,
    ) -> Result<Module, LoadError> {
        let settings = Arc::new(ModuleSettings::new(settings));
        let has_state = warm_up.is_some() || about.exports_configure;
        let configured = has_state.then(|| what_configures(&settings, limits, warm_up));
        let key = Key { module: about.digest, configured };
        let known = self.known.lock().get(&key).and_then(Weak::upgrade);
        let compiled = match known {
            Some(compiled) => compiled,
            None => {
                let source = Source { bytes: &file()?, settings: &settings, limits, warm_up };
                let compiled = Arc::new(self.compiled(&key, about, &source)?);
                let mut known = self.known.lock();
                if known.len() == known.capacity() || !self.mappings.suffice(known.len()) {
                    known.retain(|_, compiled| compiled.strong_count() > 0);
                }
                known.insert(key, Arc::downgrade(&compiled));
                self.mappings.warn(known.len());
                compiled
            }
        };
        Module::new(compiled, settings, limits, &self.budget)
    }

    fn compiled(&self, key: &Key, about: FileFacts, source: &Source<'_>) -> Result<CompiledModule, LoadError> {
        // Compressed once, however often the module is linked.
        let file = Arc::new(CompressedModule::of(source.bytes));
        let cached = self.cache.as_ref().and_then(|cache| cache.get(key));
        if let Some(compiled) = cached.and_then(|cached| self.linked_to_file(about, &cached, &file).ok()) {
            return Ok(compiled);
        }
        // A build may run the module: to call `configure`, and to warm it up.
        let _running = self.ticker.pulse().enter();
        let artefact = match self.build_in {
            BuildIn::ThisProcess => build(&self.engine, &self.linker, source)?,
            BuildIn::ChildProcess => build_in_child(source)?,
        };
        let compiled = self.linked(about, &artefact.facts, artefact.component(&self.engine)?, &file)?;
        let module = about.digest;
        for line in &artefact.facts.log {
            tracing::info!(target: "pointsman::module", %module, "configure: {line}");
        }
        if let Configure::EachInstance { reason } = &artefact.facts.configure {
            tracing::warn!(%module, reason, "no snapshot can be made: `configure` is called in each decision");
        }
        match &artefact.facts.warmth {
            Warmth::NotWanted => {}
            Warmth::Warm { requests } => tracing::info!(%module, requests, "its instances start warm"),
            Warmth::Cold { reason } => tracing::info!(%module, reason, "its instances start cold"),
        }
        if let Rewinding::Impossible { reason } = &artefact.facts.rewinding {
            tracing::info!(%module, reason, "its instances cannot be rewound: each decision makes a new one");
        }
        match self.cache.as_ref().map(|cache| cache.put(key, &artefact)) {
            None => Ok(compiled),
            // Linked to the file, whose pages in memory are shared with others that map it.
            Some(Ok(cached)) => Ok(self.linked_to_file(about, &cached, &file).unwrap_or(compiled)),
            Some(Err(error)) => {
                tracing::warn!(%module, %error, "cannot save a built module in proxy.cache_dir");
                Ok(compiled)
            }
        }
    }

    fn linked_to_file(
        &self,
        about: FileFacts,
        cached: &CachedArtefact,
        file: &Arc<CompressedModule>,
    ) -> Result<CompiledModule, LoadError> {
        self.linked(about, &cached.facts, cached.component(&self.engine)?, file)
    }

    fn linked(
        &self,
        about: FileFacts,
        facts: &Facts,
        component: Component,
        file: &Arc<CompressedModule>,
    ) -> Result<CompiledModule, LoadError> {
        let watches_upstreams =
            component.component_type().imports(&self.engine).any(|(name, _)| world::is_interface(name, "upstreams"));
        let configure = match facts.configure {
            Configure::Absent | Configure::Snapshot => None,
            Configure::EachInstance { .. } => Some(export_of(&component, CONFIGURE)?),
        };
        let linker = linker_for(&self.linker, &component, &facts.rewinding).map_err(wrong_type)?;
        let router = linker.instantiate_pre(&component).and_then(RouterPre::new).map_err(wrong_type)?;
        let select_peer = export_of(&component, world::EXPORT)?;
        let added = Added::to(&component, || self.layout(&component)).map(Arc::new);
        // A component without added functions was not made rewindable.
        let rewinder = added.as_ref().and_then(|_| Rewinder::new());
        let file = file.clone();
        let Facts { class, needs, warmth, rewinding, .. } = facts.clone();
        let program = Program {
            engine: self.engine.clone(),
            router,
            select_peer,
            added,
            rewinder,
            configure,
            memory_bytes: needs.memory_bytes,
            ticker: self.ticker.clone(),
        };
        Ok(CompiledModule {
            about,
            program: Arc::new(program),
            watches_upstreams,
            class,
            needs,
            warmth,
            rewinding,
            file,
        })
    }

    /// The layout of answers in memory. Every component's answers have the same type, so one layout serves them all.
    fn layout(&self, component: &Component) -> Option<Arc<Layout>> {
        if let Some(layout) = self.layout.get() {
            return Some(layout.clone());
        }
        let ty = component.component_type();
        let ComponentItem::ComponentFunc(select_peer) = ty.get_export(&self.engine, world::EXPORT)?.ty else {
            return None;
        };
        let layout = Layout::of(&select_peer.results().next()?)?;
        Some(self.layout.get_or_init(|| Arc::new(layout)).clone())
    }
}

fn no_memory(error: std::io::Error) -> LoadError {
    LoadError::Builder { message: format!("there is no memory for the module's file ({error})") }
}

/// Digest of everything other than the module on which the state in a snapshot may depend.
fn what_configures(settings: &ModuleSettings, limits: &TenantLimits, warm_up: Option<&WarmUp>) -> Digest {
    Digest::of(format!("{limits:?}\n{}\n{warm_up:?}", settings.json()).as_bytes())
}

impl Module {
    fn new(
        compiled: Arc<CompiledModule>,
        settings: Arc<ModuleSettings>,
        limits: &TenantLimits,
        budget: &Arc<PoolBudget<PooledInstance>>,
    ) -> Result<Module, LoadError> {
        let (class, needs, granted) = (compiled.class, compiled.needs, limits.of(compiled.class));
        needs.check(granted)?;
        if class == Class::Runtime {
            let module = compiled.about.digest;
            let (memory, table) = (granted.memory_bytes, granted.table_elements);
            tracing::info!(
                %module,
                "a module with a language's runtime: it needs {} bytes of memory at its start ({memory} granted), a \
                 table of {} elements ({table}), {} core instances ({})",
                needs.memory_bytes, needs.table_elements, needs.core_instances, granted.instances
            );
        }
        let instances = match &compiled.program.rewinder {
            Some(_) => Instances::rewound(InstancePool::new(budget, needs.memories, needs.tables)),
            None => Instances::fresh(),
        };
        let callee = Callee { program: compiled.program.clone(), settings, instances: Arc::new(instances) };
        Ok(Module { compiled, callee, root: Arc::default() })
    }

    /// The class that selects which of a tenant's limits hold for it.
    pub fn class(&self) -> Class {
        self.compiled.class
    }

    /// Resources that an instance takes at its start.
    pub fn needs(&self) -> Needs {
        self.compiled.needs
    }

    pub fn digest(&self) -> Digest {
        self.compiled.about.digest
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether an instance may remember an earlier decision.
    pub fn keeps_instances(&self) -> bool {
        self.callee.instances.remember()
    }

    /// Lets each of its instances decide `calls` times, with its state kept in between. With 1 it keeps none.
    pub fn with_instance_calls(self, calls: u32) -> Module {
        match calls {
            0 | 1 => self,
            calls => self.with_instances(Instances::reused(calls)),
        }
    }

    /// Creates a new instance for each decision, even if one could be rewound.
    pub fn without_rewinding(self) -> Module {
        self.with_instances(Instances::fresh())
    }

    fn with_instances(self, instances: Instances<PooledInstance>) -> Module {
        Module { callee: Callee { instances: Arc::new(instances), ..self.callee }, ..self }
    }

    /// Keeps instances to decide again, if the tenant's configuration allows that; or drops those that wait and keeps
    /// none.
    pub fn keep_instances(&self, keep: bool) {
        self.callee.instances.keep_any(keep);
    }

    /// The size of its file, in bytes.
    pub fn size(&self) -> usize {
        self.compiled.file.size()
    }

    pub fn warmth(&self) -> &Warmth {
        &self.compiled.warmth
    }

    /// Whether its instances can be rewound.
    pub fn rewinding(&self) -> &Rewinding {
        &self.compiled.rewinding
    }

    /// Number of pages of memory, of 4 KiB, that its decisions so far have written. None: its instances are not
    /// rewound, so nobody counts.
    pub fn pages_written(&self) -> Option<usize> {
        self.callee.rewinder().map(Rewinder::pages)
    }

    /// Whether it imports `upstreams`, the observations of upstreams.
    pub fn watches_upstreams(&self) -> bool {
        self.compiled.watches_upstreams
    }

    pub(super) fn component(&self) -> &Component {
        self.callee.program.router.instance_pre().component()
    }

    /// The target of its calls.
    pub fn callee(&self) -> &Callee {
        &self.callee
    }

    /// The tenant's configuration of the module.
    pub fn settings(&self) -> &ModuleSettings {
        &self.callee.settings
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({})", self.digest())
    }
}

/// Reads a module file of at most [`LARGEST_FILE`] bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    read_at_most(path, LARGEST_FILE).map_err(|error| match error {
        ReadError::Io(source) => LoadError::Read { path: path.to_owned(), source },
        ReadError::TooLarge { size } => LoadError::TooLarge { size, limit: LARGEST_FILE },
    })
}
