//! Links components to the host's functions.

use std::sync::Arc;

use pointsman_rules::config::Limits;
use pointsman_rules::settings::ModuleSettings;
use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, HasSelf, Linker};

use crate::abi::v0_1::Router;
use crate::module::LoadError;
use crate::module::artefact::Rewinding;
use crate::state::State;
use crate::wasi;

/// The context in which a component runs while it is built.
#[derive(Clone, Copy)]
pub struct Builds<'a> {
    pub engine: &'a Engine,
    pub linker: &'a Linker<State>,
    pub settings: &'a Arc<ModuleSettings>,
    pub limits: &'a Limits,
}

/// The linker for all modules, with the interfaces of `pointsman:router`.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    Router::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// The linker for one component: it adds the WASI that the component imports, and the import that instrumentation
/// added. An author's own import of that name is not linked.
pub fn linker_for(
    linker: &Linker<State>,
    component: &Component,
    rewinding: &Rewinding,
) -> wasmtime::Result<Linker<State>> {
    let mut linker = linker.clone();
    wasi::add_to_linker(&mut linker, component)?;
    if *rewinding == Rewinding::Possible {
        pointsman_rewind::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// The export of this name.
pub fn export_of(component: &Component, name: &str) -> Result<ComponentExportIndex, LoadError> {
    let index = component.get_export_index(None, name);
    index.ok_or_else(|| LoadError::WrongType { message: format!("no export `{name}`") })
}

pub fn wrong_type(error: wasmtime::Error) -> LoadError {
    LoadError::WrongType { message: format!("{error:#}") }
}
