//! From the bytes of a file to an artefact: validate, encode, compile, `configure`, snapshot. All of it is a function of
//! what it is given, so that it can be done once, kept, and done elsewhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex, HasSelf, Instance, Linker, WasmList};
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::bindings::Router;
use crate::call::{State, add_wasi_to_linker, configure, store_to_configure, take_lines};
use crate::config::{Class, Limits, TenantLimits};
use crate::module::artefact::{Artefact, Configure, Facts};
use crate::module::encode::component_bytes;
use crate::module::load::needs_host;
use crate::module::{LoadError, ModuleSettings, Needs, world};

/// The optional export that takes a module's configuration.
pub const CONFIGURE: &str = "configure";

/// What is to be built, and for whom.
pub struct Source<'a> {
    pub bytes: &'a [u8],
    pub settings: &'a Arc<ModuleSettings>,
    pub limits: &'a TenantLimits,
}

/// Everything that a module is linked with.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Router::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// What one component is linked with: the same, and what it imports of WASI.
pub fn linker_for(linker: &Linker<State>, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = linker.clone();
    add_wasi_to_linker(&mut linker, component)?;
    Ok(linker)
}

/// Builds a module. The engine's epoch must advance, or a `configure` without an end would have none.
pub fn build(engine: &Engine, linker: &Linker<State>, source: &Source<'_>) -> Result<Artefact, LoadError> {
    let component = component_bytes(source.bytes)?;
    let needs = Needs::of(&component);
    let class = needs.class();
    if !exports_configure(source.bytes) {
        let facts = Facts { class, needs, configure: Configure::Absent, log: Vec::new() };
        let artefact = Artefact::compile(engine, &component, facts)?;
        check_world(engine, &artefact.component(engine)?)?;
        return Ok(artefact);
    }
    let limits = source.limits.of(class);
    let builder = Configuring { engine, linker, settings: source.settings, class, needs, limits };
    match catch_unwind(AssertUnwindSafe(|| builder.snapshot(&component))) {
        Ok(Ok(artefact)) => Ok(artefact),
        Ok(Err(NoSnapshot::Refused(error))) => Err(error),
        Ok(Err(NoSnapshot::Impossible(because))) => builder.without_snapshot(&component, because),
        Err(_) => builder.without_snapshot(&component, "it has a form that wizer does not know".to_owned()),
    }
}

/// Whether a file's component has the export; of a core module the export has the same name. What is not valid exports
/// nothing.
pub fn exports_configure(bytes: &[u8]) -> bool {
    use wasmparser::{Parser, Payload};
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth = depth.saturating_add(1),
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ExportSection(exports)) if depth == 0 => {
                if exports.into_iter().flatten().any(|export| export.name == CONFIGURE) {
                    return true;
                }
            }
            Ok(Payload::ComponentExportSection(exports)) if depth == 0 => {
                if exports.into_iter().flatten().any(|export| export.name.name == CONFIGURE) {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Whether a component is a router, by the names of what it imports and exports.
pub fn check_world(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    let ty = component.component_type();
    world::check_names(
        ty.imports(engine).filter(|(_, import)| needs_host(&import.ty)).map(|(name, _)| name),
        ty.exports(engine).map(|(name, _)| name),
    )
}

/// A module that has `configure`.
struct Configuring<'a> {
    engine: &'a Engine,
    linker: &'a Linker<State>,
    settings: &'a Arc<ModuleSettings>,
    class: Class,
    needs: Needs,
    limits: &'a Limits,
}

/// Why there is no snapshot.
enum NoSnapshot {
    /// The module is at fault.
    Refused(LoadError),
    /// It is of a form that can't be taken.
    Impossible(String),
}

impl From<LoadError> for NoSnapshot {
    fn from(error: LoadError) -> NoSnapshot {
        NoSnapshot::Refused(error)
    }
}

impl Configuring<'_> {
    /// Calls `configure` and makes a component of the state that it leaves.
    fn snapshot(&self, component: &[u8]) -> Result<Artefact, NoSnapshot> {
        let mut wizer = Wizer::new();
        wizer.init_func(CONFIGURE).keep_init_func(true);
        let (context, instrumented) =
            wizer.instrument_component(component).map_err(|error| NoSnapshot::Impossible(format!("{error:#}")))?;
        let (mut store, instance) = self.configured(&instrumented)?;
        if store.data().wasi_handles > 0 {
            // A snapshot has the numbers of handles in its memory, and an instance made of it has not the handles.
            return Err(NoSnapshot::Impossible("it holds handles of WASI, such as an open standard output".to_owned()));
        }
        let log = take_lines(&mut store).into_iter().map(|line| line.message).collect();
        // Reading memories is our own doing, not the module's.
        store.set_hostcall_fuel(usize::MAX);
        store.set_epoch_deadline(u64::MAX / 2);
        let mut state = InstanceState { store, instance, failed: None };
        let component = now(wizer.snapshot_component(&context, &mut state));
        if let Some(error) = state.failed {
            return Err(NoSnapshot::Impossible(format!("{error:#}")));
        }
        let component = component.map_err(|error| NoSnapshot::Impossible(format!("{error:#}")))?;
        Ok(Artefact::compile(self.engine, &component, self.facts(&component, Configure::Snapshot, log))?)
    }

    fn without_snapshot(&self, component: &[u8], because: String) -> Result<Artefact, LoadError> {
        let log = take_lines(&mut self.configured(component)?.0).into_iter().map(|line| line.message).collect();
        let configure = Configure::EachInstance { because };
        Artefact::compile(self.engine, component, self.facts(component, configure, log))
    }

    /// Of the component that is compiled.
    fn facts(&self, component: &[u8], configure: Configure, log: Vec<String>) -> Facts {
        Facts { class: self.class, needs: Needs::of(component), configure, log }
    }

    /// An instance in which `configure` has been called.
    fn configured(&self, component: &[u8]) -> Result<(Store<State>, Instance), LoadError> {
        let component = Component::new(self.engine, component)
            .map_err(|error| LoadError::Compile { message: format!("{error:#}") })?;
        let ty = component.component_type();
        let ours = |name: &str| !name.starts_with("wasmtime:wizer");
        world::check_names(
            ty.imports(self.engine).filter(|(_, import)| needs_host(&import.ty)).map(|(name, _)| name),
            ty.exports(self.engine).map(|(name, _)| name).filter(|name| ours(name)),
        )?;
        self.needs.check(self.limits)?;
        let mut store = store_to_configure(self.engine, self.settings.clone(), self.limits);
        let linker = linker_for(self.linker, &component).map_err(wrong_type)?;
        let pre = linker.instantiate_pre(&component).map_err(wrong_type)?;
        let export = configure_export(&component)?;
        let instance = pre
            .instantiate(&mut store)
            .map_err(|error| LoadError::Start { message: format!("{:#}", error.root_cause()) })?;
        configure(&mut store, &instance, &export, self.limits)
            .map_err(|error| LoadError::of_configure(error, self.limits))?;
        Ok((store, instance))
    }
}

/// The export, with the type that it must have.
pub fn configure_export(component: &Component) -> Result<ComponentExportIndex, LoadError> {
    let index = component.get_export_index(None, CONFIGURE);
    index.ok_or_else(|| LoadError::WrongType { message: format!("no export `{CONFIGURE}`") })
}

pub fn wrong_type(error: wasmtime::Error) -> LoadError {
    LoadError::WrongType { message: format!("{error:#}") }
}

/// An instance whose memories and globals are read through the functions that wizer added to it.
struct InstanceState {
    store: Store<State>,
    instance: Instance,
    /// What went wrong first; the values read from then on mean nothing.
    failed: Option<wasmtime::Error>,
}

impl InstanceState {
    fn read<R: wasmtime::component::Lift + Send + Sync + 'static, T: Default>(
        &mut self,
        interface: &str,
        function: &str,
        use_it: impl FnOnce(&Store<State>, R) -> T,
    ) -> T {
        match self.call(interface, function) {
            Ok(value) => use_it(&self.store, value),
            Err(error) => {
                self.failed.get_or_insert(error);
                T::default()
            }
        }
    }

    fn call<R: wasmtime::component::Lift + Send + Sync + 'static>(
        &mut self,
        interface: &str,
        function: &str,
    ) -> wasmtime::Result<R> {
        let missing = || wasmtime::Error::msg(format!("no `{interface}#{function}`"));
        let interface_index = self.instance.get_export_index(&mut self.store, None, interface).ok_or_else(missing)?;
        let index =
            self.instance.get_export_index(&mut self.store, Some(&interface_index), function).ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), (R,)>(&mut self.store, index)?;
        Ok(function.call(&mut self.store, ())?.0)
    }
}

impl ComponentInstanceState for InstanceState {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        self.read(instance, func, |store, list: WasmList<u8>| contents(list.as_le_slice(store)));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.read(instance, func, |_, value| value)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.read(instance, func, |_, value| value)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.read(instance, func, |_, value: f32| value.to_bits())
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.read(instance, func, |_, value: f64| value.to_bits())
    }
}

/// The result of a future that waits for nothing.
fn now<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => Err(wasmtime::Error::msg("the snapshot waits for something")),
    }
}
