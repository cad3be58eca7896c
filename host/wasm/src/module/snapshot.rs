//! Makes a snapshot: a component whose instances start with the state of an instance of another component.

use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Store;
use wasmtime::component::{Instance, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use crate::module::world::CONFIGURE;
use crate::state::State;

/// Why there is no snapshot if wizer panics.
pub const UNKNOWN: &str = "it has a form that wizer does not support";

/// A component with added functions that expose its state.
pub struct Instrumented<'a> {
    wizer: Wizer,
    context: ComponentContext<'a>,
    /// The component to instantiate.
    pub component: Vec<u8>,
}

impl<'a> Instrumented<'a> {
    /// Instruments a component; the error says why its state can't be kept. Wizer also panics on forms that it does not
    /// know.
    pub fn new(component: &'a [u8]) -> Result<Instrumented<'a>, String> {
        if has_hidden_state(component) {
            return Err("it has a core module with state and without exports".to_owned());
        }
        let mut wizer = Wizer::new();
        wizer.init_func(CONFIGURE).keep_init_func(true);
        let (context, component) = wizer.instrument_component(component).map_err(|error| format!("{error:#}"))?;
        Ok(Instrumented { wizer, context, component })
    }

    /// The component with the state of this instance, which must be of `component`.
    pub fn snapshot(&self, mut store: Store<State>, instance: Instance) -> Result<Vec<u8>, String> {
        if store.data().wasi_handles > 0 {
            // The numbers of handles would be in its memory, but an instance of the snapshot would not have the
            // handles.
            return Err("it holds handles of WASI, such as an open standard output".to_owned());
        }
        // The host reads the memories, not the module, so the module's limits do not apply.
        store.set_hostcall_fuel(usize::MAX);
        store.set_epoch_deadline(u64::MAX / 2);
        let mut state = InstanceState { store, instance, failed: None };
        let component = now(self.wizer.snapshot_component(&self.context, &mut state));
        match state.failed {
            Some(error) => Err(format!("{error:#}")),
            None => component.map_err(|error| format!("{error:#}")),
        }
    }
}

/// Whether a core module has state that wizer does not see: wizer reads state through exports, which it adds only to an
/// export section that exists.
fn has_hidden_state(component: &[u8]) -> bool {
    let (mut state, mut exports) = (false, false);
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { encoding: Encoding::Module, .. }) => (state, exports) = (false, false),
            Ok(Payload::MemorySection(_)) => state = true,
            Ok(Payload::GlobalSection(globals)) => {
                state |= globals.into_iter().flatten().any(|global| global.ty.mutable);
            }
            Ok(Payload::ExportSection(_)) => exports = true,
            Ok(Payload::End(_)) if state && !exports => return true,
            Ok(_) => {}
            // Wizer finds the same error, and reports it.
            Err(_) => return false,
        }
    }
    false
}

/// An instance whose memories and globals are read through the functions that wizer added to it.
struct InstanceState {
    store: Store<State>,
    instance: Instance,
    /// The first error; the values read after it are meaningless.
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

#[cfg(test)]
mod tests {
    use super::has_hidden_state;

    #[track_caller]
    fn check(modules: &str, hidden: bool) {
        let bytes = wat::parse_str(format!("(component {modules})")).expect("a component");
        assert_eq!(has_hidden_state(&bytes), hidden, "{modules}");
    }

    #[test]
    fn state_of_a_module_without_exports_is_hidden() {
        check("(core module (global (mut i32) (i32.const 0)))", true);
        check("(core module (memory 1))", true);
        check("(core module (memory (export \"memory\") 1)) (core module (memory 1))", true);
        check("(core module (memory (export \"memory\") 1)) (core module (global i32 (i32.const 0)))", false);
        check("(core module (global (mut i32) (i32.const 0)) (func (export \"f\")))", false);
        check("(core module (import \"a\" \"b\" (memory 1)))", false);
    }
}
