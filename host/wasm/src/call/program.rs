//! What a call needs of a module: the compiled component, and its instances.

use std::sync::Arc;

use pointsman_rewind::{FixedMemoryEngine, Rewinder};
use pointsman_rules::settings::ModuleSettings;
use wasmtime::component::ComponentExportIndex;

use crate::abi::v0_1::{Added, RouterPre};
use crate::call::instances::Instances;
use crate::call::ticker::Pulse;
use crate::state::State;

/// A component that is compiled and linked.
pub(crate) struct Program {
    pub engine: FixedMemoryEngine,
    pub router: RouterPre<State>,
    /// The component's own `select-peer`.
    pub select_peer: ComponentExportIndex,
    /// The functions that instrumenting added.
    pub added: Option<Arc<Added>>,
    /// None: its instances are not rewound.
    pub rewinder: Option<Rewinder>,
    /// `configure`, where each instance must be configured.
    pub configure: Option<ComponentExportIndex>,
    /// Linear memory of a fresh instance, in bytes.
    pub memory_bytes: u64,
    /// Of the engine's ticker.
    pub pulse: Arc<Pulse>,
}

/// A program with the settings and the instances of one tenant's module: what a call is made to.
#[derive(Clone)]
pub struct Callee {
    pub(crate) program: Arc<Program>,
    pub(crate) settings: Arc<ModuleSettings>,
    pub(crate) instances: Arc<Instances>,
}

impl Callee {
    /// What puts its instances back, if they are to be.
    pub(crate) fn rewinder(&self) -> Option<&Rewinder> {
        self.program.rewinder.as_ref().filter(|_| self.instances.are_rewound())
    }
}
