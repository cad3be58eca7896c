//! Compiled code in memory.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::Component;

/// A component as Wasmtime serializes it, compiled by this program.
#[derive(Clone)]
pub struct CompiledCode {
    /// Only [`CompiledCode::compile`] and a child process of ours make it.
    pub(super) bytes: Vec<u8>,
}

impl CompiledCode {
    /// Compiles a component.
    pub fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<CompiledCode> {
        Ok(CompiledCode { bytes: engine.precompile_component(component)? })
    }

    /// Loads the component. Fails if the engine's settings differ from those that it was compiled for.
    pub fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: Wasmtime serialized the bytes, here or in a child process that is this program; nothing changes them.
        #[expect(unsafe_code, reason = "Wasmtime trusts what it serialized")]
        unsafe {
            Component::deserialize(engine, &self.bytes)
        }
    }
}

impl fmt::Debug for CompiledCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompiledCode({} bytes)", self.bytes.len())
    }
}
