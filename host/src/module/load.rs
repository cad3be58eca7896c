//! From a module file to a module that can be asked. Building is the slow step: it is done once for all tenants with the
//! same file, kept on disk, and never done with a request.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, Linker};

use crate::bindings::RouterPre;
use crate::call::{Instances, State, Ticker};
use crate::config::{Class, TenantLimits};
use crate::engine::{EngineError, engine};
use crate::module::artefact::{Artefact, Configure, Facts};
use crate::module::build::{Source, build, configure_export, exports_configure, linker, linker_for, wrong_type};
use crate::module::cache::{Cache, Key};
use crate::module::child::build_in_child;
use crate::module::{CacheError, Digest, LoadError, ModuleSettings, Needs, world};
use crate::read_file::{ReadError, read_at_most};

/// Largest module file, in bytes. The largest of the known toolchains, CPython, makes 18 MB.
pub const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// A module that is ready to decide.
#[derive(Clone)]
pub struct Module {
    compiled: Arc<Compiled>,
    settings: Arc<ModuleSettings>,
    instances: Arc<Instances>,
}

/// What tenants share that have the same module file and, if it has `configure`, the same configuration.
struct Compiled {
    digest: Digest,
    router: RouterPre<State>,
    watches_upstreams: bool,
    class: Class,
    needs: Needs,
    /// To be called in each instance.
    configure: Option<ComponentExportIndex>,
    /// The file, if another configuration makes another module of it.
    source: Option<Arc<[u8]>>,
}

/// Where modules are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildIn {
    /// For one's own modules: nothing bounds a build.
    ThisProcess,
    /// This program must be `pointsman` itself.
    ChildProcess,
}

/// Loads modules for one engine. What two tenants share is built once.
pub struct Loader {
    engine: Engine,
    linker: Linker<State>,
    build_in: BuildIn,
    cache: Option<Cache>,
    /// Modules that are in use somewhere.
    known: Mutex<HashMap<Key, Weak<Compiled>>>,
    _ticker: Ticker,
}

impl Loader {
    /// A loader with an engine of its own, for modules of which `threads` may decide at the same time. Beside those, so
    /// many instances may be kept to decide again.
    pub fn new(threads: usize, kept: usize) -> Result<Loader, EngineError> {
        let engine = engine(threads, kept)?;
        let linker = linker(&engine)?;
        let ticker = Ticker::start(&engine)?;
        let (build_in, known) = (BuildIn::ThisProcess, Mutex::default());
        Ok(Loader { engine, linker, build_in, cache: None, known, _ticker: ticker })
    }

    pub fn build_in(self, build_in: BuildIn) -> Loader {
        Loader { build_in, ..self }
    }

    /// Keeps what it builds in this folder, which may grow to so many bytes.
    pub fn with_cache(self, folder: &Path, most_bytes: u64) -> Result<Loader, CacheError> {
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
        let settings = Arc::new(ModuleSettings::new(settings));
        let source = Source { bytes, settings: &settings, limits };
        let configured = exports_configure(bytes).then(|| what_configures(&settings, limits));
        let key = Key { module: Digest::of(bytes), configured };
        let known = self.known.lock().get(&key).and_then(Weak::upgrade);
        let compiled = match known {
            Some(compiled) => compiled,
            None => {
                let compiled = Arc::new(self.compiled(&key, &source)?);
                let mut known = self.known.lock();
                if known.len() == known.capacity() {
                    known.retain(|_, compiled| compiled.strong_count() > 0);
                }
                known.insert(key, Arc::downgrade(&compiled));
                compiled
            }
        };
        Module::new(compiled, settings, limits)
    }

    /// The same module with other settings, or for a tenant with other limits.
    pub fn load_again(
        &self,
        module: &Module,
        settings: serde_json::Value,
        limits: &TenantLimits,
    ) -> Result<Module, LoadError> {
        if let Some(bytes) = &module.compiled.source {
            return self.load(bytes, settings, limits);
        }
        let (compiled, settings) = (module.compiled.clone(), Arc::new(ModuleSettings::new(settings)));
        Module::new(compiled, settings, limits)
    }

    fn compiled(&self, key: &Key, source: &Source<'_>) -> Result<Compiled, LoadError> {
        let kept = self.cache.as_ref().and_then(|cache| cache.get(key));
        if let Some(compiled) = kept.and_then(|artefact| self.linked(key, &artefact, source).ok()) {
            return Ok(compiled);
        }
        let artefact = match self.build_in {
            BuildIn::ThisProcess => build(&self.engine, &self.linker, source)?,
            BuildIn::ChildProcess => build_in_child(source)?,
        };
        let compiled = self.linked(key, &artefact, source)?;
        let module = key.module;
        for line in &artefact.facts.log {
            tracing::info!(target: "pointsman::module", %module, "configure: {line}");
        }
        if let Configure::EachInstance { because } = &artefact.facts.configure {
            tracing::warn!(%module, because, "no snapshot can be made: `configure` is called in each decision");
        }
        if let Some(Err(error)) = self.cache.as_ref().map(|cache| cache.put(key, &artefact)) {
            tracing::warn!(%module, %error, "cannot keep a built module in proxy.cache_dir");
        }
        Ok(compiled)
    }

    fn linked(&self, key: &Key, artefact: &Artefact, source: &Source<'_>) -> Result<Compiled, LoadError> {
        let component = artefact.component(&self.engine)?;
        let watches_upstreams =
            component.component_type().imports(&self.engine).any(|(name, _)| world::is_upstreams(name));
        let configure = match artefact.facts.configure {
            Configure::Absent | Configure::Snapshot => None,
            Configure::EachInstance { .. } => Some(configure_export(&component)?),
        };
        let linker = linker_for(&self.linker, &component).map_err(wrong_type)?;
        let router = linker.instantiate_pre(&component).and_then(RouterPre::new).map_err(wrong_type)?;
        let source = key.configured.map(|_| source.bytes.into());
        let Facts { class, needs, .. } = artefact.facts;
        Ok(Compiled { digest: key.module, router, watches_upstreams, class, needs, configure, source })
    }
}

/// All that the state after `configure` may depend on beside the module.
fn what_configures(settings: &ModuleSettings, limits: &TenantLimits) -> Digest {
    Digest::of(format!("{limits:?}\n{}", settings.json()).as_bytes())
}

impl Module {
    fn new(compiled: Arc<Compiled>, settings: Arc<ModuleSettings>, limits: &TenantLimits) -> Result<Module, LoadError> {
        let (class, needs, granted) = (compiled.class, compiled.needs, limits.of(compiled.class));
        needs.check(granted)?;
        if class == Class::Runtime {
            let module = compiled.digest;
            let (memory, table) = (granted.memory_bytes, granted.table_elements);
            tracing::info!(
                %module,
                "a module with a language's runtime: it needs {} bytes of memory at its start ({memory} granted), a \
                 table of {} elements ({table}), {} core instances ({})",
                needs.memory_bytes, needs.table_elements, needs.core_instances, granted.instances
            );
        }
        Ok(Module { compiled, settings, instances: Arc::new(Instances::new(1)) })
    }

    /// Which of a tenant's limits hold for it.
    pub fn class(&self) -> Class {
        self.compiled.class
    }

    pub fn digest(&self) -> Digest {
        self.compiled.digest
    }

    /// Lets each of its instances decide so many times.
    pub fn with_instance_calls(self, calls: u32) -> Module {
        Module { instances: Arc::new(Instances::new(calls)), ..self }
    }

    /// Whether instances are kept to decide again, where the tenant's configuration has it so.
    pub fn keep_instances(&self, keep: bool) {
        self.instances.keep_any(keep);
    }

    /// Whether it may ask what was seen of upstreams.
    pub fn watches_upstreams(&self) -> bool {
        self.compiled.watches_upstreams
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.compiled.router.engine()
    }

    pub(crate) fn router(&self) -> &RouterPre<State> {
        &self.compiled.router
    }

    /// What to call in each instance before it decides.
    pub(crate) fn configured_by_call(&self) -> Option<&ComponentExportIndex> {
        self.compiled.configure.as_ref()
    }

    pub(crate) fn instances(&self) -> &Instances {
        &self.instances
    }

    pub(crate) fn settings(&self) -> &Arc<ModuleSettings> {
        &self.settings
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({})", self.digest())
    }
}

/// Reads a module file, but never more than a module may have.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    read_at_most(path, LARGEST_FILE).map_err(|error| match error {
        ReadError::Io(source) => LoadError::Read { path: path.to_owned(), source },
        ReadError::TooLarge { size } => LoadError::TooLarge { size, limit: LARGEST_FILE },
    })
}

/// Imported types are declarations of what `use` brings into the world; only instances and functions come from the host.
pub(super) fn needs_host(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}
