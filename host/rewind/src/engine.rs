//! An engine whose memories stay where they are.

use std::ops::Deref;

use wasmtime::{Config, Engine};

/// An engine whose memories never move: they grow in place or not at all.
#[derive(Clone)]
pub struct FixedMemoryEngine(Engine);

impl FixedMemoryEngine {
    /// # Errors
    /// If the configuration is not valid, or the machine has no room for what it reserves.
    pub fn new(config: &mut Config) -> wasmtime::Result<FixedMemoryEngine> {
        config.memory_may_move(false);
        Ok(FixedMemoryEngine(Engine::new(config)?))
    }
}

impl Deref for FixedMemoryEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}
