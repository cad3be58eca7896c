//! From bytes to a module that can be asked. Compiling is the slow step and happens here only, never with a request.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload, Validator};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, ResourcesRequired};

use crate::bindings::{Router, RouterPre};
use crate::call::{Instances, State};
use crate::config::Limits;
use crate::engine::{EngineError, ceiling, engine};
use crate::module::packages::Dependencies;
use crate::module::{LoadError, ModuleSettings, world};
use crate::text::printable;

/// Largest module file, in bytes. The largest of the known toolchains, CPython, makes 18 MB.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// A module that is ready to decide.
#[derive(Clone)]
pub struct Module {
    compiled: Arc<Compiled>,
    settings: Arc<ModuleSettings>,
    instances: Arc<Instances>,
}

/// What tenants with the same module file share.
struct Compiled {
    digest: Digest,
    router: RouterPre<State>,
    watches_upstreams: bool,
}

/// SHA-256 of a module file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Loads modules for one engine. A file that two tenants use is compiled once.
pub struct Loader {
    engine: Engine,
    linker: Linker<State>,
    compiled: Mutex<HashMap<Digest, Arc<Compiled>>>,
}

impl Loader {
    /// A loader with an engine of its own, for modules of which `threads` may decide at the same time. Beside those, so
    /// many instances may be kept to decide again.
    pub fn new(threads: usize, kept: usize) -> Result<Loader, EngineError> {
        let engine = engine(threads, kept)?;
        let mut linker = Linker::new(&engine);
        Router::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        Ok(Loader { engine, linker, compiled: Mutex::default() })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads a file for a tenant with these limits.
    pub fn load_file(&self, path: &Path, settings: serde_json::Value, limits: &Limits) -> Result<Module, LoadError> {
        self.load(&read(path)?, settings, limits)
    }

    /// Loads a module from memory.
    pub fn load(&self, bytes: &[u8], settings: serde_json::Value, limits: &Limits) -> Result<Module, LoadError> {
        let digest = Digest::of(bytes);
        let known = self.compiled.lock().get(&digest).cloned();
        let compiled = match known {
            Some(compiled) => compiled,
            None => {
                let router = self.compile(bytes)?;
                let ty = router.instance_pre().component().component_type();
                let watches_upstreams = ty.imports(&self.engine).any(|(name, _)| world::is_upstreams(name));
                let compiled = Arc::new(Compiled { digest, router, watches_upstreams });
                self.compiled.lock().insert(digest, compiled.clone());
                compiled
            }
        };
        check_needs(compiled.router.instance_pre().component(), limits)?;
        Ok(Module {
            compiled,
            settings: Arc::new(ModuleSettings::new(settings)),
            instances: Arc::new(Instances::new(1)),
        })
    }

    fn compile(&self, bytes: &[u8]) -> Result<RouterPre<State>, LoadError> {
        let component = component_bytes(bytes)?;
        let component = Component::new(&self.engine, &component).map_err(compile_error)?;
        let ty = component.component_type();
        world::check_names(
            ty.imports(&self.engine).filter(|(_, import)| needs_host(&import.ty)).map(|(name, _)| name),
            ty.exports(&self.engine).map(|(name, _)| name),
        )?;
        self.linker.instantiate_pre(&component).and_then(RouterPre::new).map_err(wrong_type)
    }
}

impl Module {
    pub fn digest(&self) -> Digest {
        self.compiled.digest
    }

    /// Lets each of its instances decide so many times.
    pub fn with_instance_calls(self, calls: u32) -> Module {
        Module { instances: Arc::new(Instances::new(calls)), ..self }
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

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// All 64 hexadecimal digits.
    pub fn full(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The first 12 hexadecimal digits: enough for people to tell versions apart.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads a module file, but never more than a module may have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST_FILE {
        return Err(LoadError::TooLarge { size, limit: LARGEST_FILE });
    }
    std::fs::read(path).map_err(failed)
}

/// The bytes of a component, encoded here if they are a core module that carries its component type.
pub(super) fn component_bytes(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    Validator::new().validate_all(bytes).map_err(invalid)?;
    if Parser::is_component(bytes) {
        return Ok(bytes.to_owned());
    }
    check_core(bytes)?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Encode { message: format!("{error:#}") })
}

/// Mistakes in a core module that would otherwise show as an odd encoding error.
fn check_core(bytes: &[u8]) -> Result<(), LoadError> {
    let (mut typed, mut packages) = (false, Dependencies::default());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                typed = true;
                packages.add(section.data());
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let module = import.map_err(invalid)?.module;
                    if module.starts_with("wasi_snapshot_preview1") || module == "wasi_unstable" {
                        return Err(LoadError::CoreWasi { import: module.to_owned() });
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(circle) = packages.circle() {
        const LONGEST: usize = 256;
        let packages = circle.into_iter().collect::<Vec<_>>().join("`, `");
        return Err(LoadError::Circle { packages: printable(&packages, LONGEST).0 });
    }
    if typed { Ok(()) } else { Err(LoadError::NoComponentType) }
}

fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid { offset: error.offset(), message: error.message().to_owned() }
}

fn compile_error(error: wasmtime::Error) -> LoadError {
    LoadError::Compile { message: format!("{error:#}") }
}

fn wrong_type(error: wasmtime::Error) -> LoadError {
    LoadError::WrongType { message: format!("{error:#}") }
}

/// Imported types are declarations of what `use` brings into the world; only instances and functions come from the host.
pub(super) fn needs_host(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}

/// Initial size of the largest memory, in bytes; Wasmtime tells it in pages.
pub(super) fn memory_bytes(needs: &ResourcesRequired) -> u64 {
    const PAGE: u64 = 65_536;
    needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE)
}

/// What instantiating needs at once must fit the tenant's limits: better told at load than with each request.
pub(super) fn check_needs(component: &Component, limits: &Limits) -> Result<(), LoadError> {
    let Some(needs) = component.resources_required() else {
        // Core modules as imports: no known toolchain makes them, and the store's limits hold all the same.
        return Ok(());
    };
    let within = |what, needed: u64, limit: u64, key| match needed > limit {
        true => Err(LoadError::NeedsTooMuch { what, needed, limit, key }),
        false => Ok(()),
    };
    let limit_of = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
    within("memories", needs.num_memories.into(), ceiling::MEMORIES.into(), None)?;
    within("tables", needs.num_tables.into(), ceiling::TABLES.into(), None)?;
    let memory = memory_bytes(&needs);
    within("bytes of memory at its start", memory, limit_of(limits.memory_bytes), Some("memory_mib"))?;
    let table = needs.max_initial_table_size.unwrap_or(0);
    within("elements in one table at its start", table, limit_of(limits.table_elements), Some("table_elements"))
}
