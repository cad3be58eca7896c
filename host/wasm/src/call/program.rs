//! The parts of a module that a call needs: the compiled component, and its instances.

use std::sync::Arc;

use pointsman_rewind::{FixedMemoryEngine, Rewinder};
use pointsman_rules::settings::ModuleSettings;
use wasmtime::component::ComponentExportIndex;

use crate::abi::v0_1::{Added, RouterPre};
use crate::call::{Instances, PooledInstance, Ticker};
use crate::state::State;

/// A component that is compiled and linked.
pub(crate) struct Program {
    pub engine: FixedMemoryEngine,
    pub router: RouterPre<State>,
    /// The component's own `select-peer`.
    pub select_peer: ComponentExportIndex,
    /// The functions that instrumenting added.
    pub added: Option<Arc<Added>>,
    /// None: its instances can't be rewound.
    pub rewinder: Option<Rewinder>,
    /// `configure`, if each instance must be configured.
    pub configure: Option<ComponentExportIndex>,
    /// Linear memory of a fresh instance, in bytes.
    pub memory_bytes: u64,
    /// Without it no budget of time would end: it lives as long as any module of its engine.
    pub ticker: Arc<Ticker>,
}

/// A program with the settings and the instances of one tenant's module: the target of a call.
#[derive(Clone)]
pub struct Callee {
    pub(crate) program: Arc<Program>,
    pub(crate) settings: Arc<ModuleSettings>,
    pub(crate) instances: Arc<Instances<PooledInstance>>,
}

impl Callee {
    /// Rewinds its instances, if they are rewound.
    pub(crate) fn rewinder(&self) -> Option<&Rewinder> {
        self.program.rewinder.as_ref().filter(|_| self.instances.are_rewound())
    }
}
