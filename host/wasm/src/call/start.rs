//! Runs a module's start functions, as the creation of an instance does, where the state that they leave is to be kept.
//! It may be kept if it is a function of the module alone.

use std::sync::Arc;

use pointsman_rules::config::Limits;
use pointsman_rules::reads::Read;
use pointsman_rules::settings::ModuleSettings;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::call::{CallError, store_to_configure};
use crate::state::{NotInConfigure, State};

/// Why the state may not be kept, as the predicate of "a start function".
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The reads that were noted; none of those that are too long.
    #[error("reads what is not in the module")]
    Reads(Vec<Read>),
    #[error("calls `{0}`")]
    Stores(&'static str),
    #[error("writes to the log")]
    Logs,
    #[error("takes a resource handle")]
    Handles,
    #[error("needs more memory, or larger tables, than a module has by default")]
    Grows,
    #[error("takes more than {budget_ms} ms of CPU time")]
    Budget { budget_ms: u128 },
    #[error("fails: {0}")]
    Fails(CallError),
}

/// An instance whose start functions ran without anything to read, with the time that `configure` has. They get no
/// handles: these live in the host, and a snapshot would not have them.
pub fn start(
    pre: &InstancePre<State>,
    settings: Arc<ModuleSettings>,
    limits: &Limits,
) -> Result<(Store<State>, Instance), NotKept> {
    let mut store = store_to_configure(pre.engine(), settings, limits);
    store.set_max_component_handles(0);
    let started = pre.instantiate(&mut store);
    let state = store.data_mut();
    state.finish_output();
    // First of all: whatever happened next may follow from what it read.
    if !state.reads.list().is_empty() || !state.reads.is_complete() {
        return Err(NotKept::Reads(state.reads.list().to_vec()));
    }
    let instance = started.map_err(|error| match error.downcast_ref() {
        Some(NotInConfigure(function)) => NotKept::Stores(function),
        None => match CallError::from_trap(&error, &state.limiter, limits) {
            CallError::Budget { .. } => NotKept::Budget { budget_ms: limits.configure.as_millis() },
            CallError::Handles { .. } => NotKept::Handles,
            CallError::Memory { .. } | CallError::Table { .. } => NotKept::Grows,
            error => NotKept::Fails(error),
        },
    })?;
    if state.limiter.refused().is_some() {
        // With other limits there would be another state.
        return Err(NotKept::Grows);
    }
    if !std::mem::take(&mut state.lines).into_lines().is_empty() {
        return Err(NotKept::Logs);
    }
    Ok((store, instance))
}
