//! Reports to its author what a module consists of: imports, exports, sizes, and the reason why it would be refused.

use std::panic::catch_unwind;
use std::path::Path;

use pointsman_rewind::{NotRewindable, instrument};
use pointsman_rules::config::{Class, TenantLimits};
use serde::Serialize;
use wasmtime::component::Component;

use crate::engine::ceiling;
use crate::module::artefact::in_each_instance;
use crate::module::encode::component_bytes;
use crate::module::load::read;
use crate::module::snapshot::{Instrumented, UNKNOWN};
use crate::module::world::needs_host;
use crate::module::{Digest, LoadError, LoadStep, Loader, Needs, Rewinding};

/// The findings about a module.
#[derive(Debug, Serialize)]
pub struct Inspection {
    pub sha256: String,
    pub bytes: usize,
    /// `component` or `core module`. None if it is neither.
    pub kind: Option<&'static str>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Resources that an instance takes at its start.
    pub needs: Option<Needs>,
    /// The class whose limits hold for it: `small`, or `runtime` for one with a language runtime.
    pub class: Option<Class>,
    /// The limits of its class.
    pub granted: Option<ModuleLimits>,
    /// Whether an instance that has decided can be rewound, instead of creating one for each decision. None: it would
    /// not be loaded.
    pub rewinding: Option<Rewinding>,
    /// Compiled code and data, in bytes.
    pub compiled_bytes: Option<usize>,
    /// Why it would not be loaded. None: it would.
    pub refused: Option<String>,
}

/// The limits that [`Needs`] has to fit, and up to which a decision may grow.
#[derive(Debug, Serialize)]
pub struct ModuleLimits {
    pub memories: u32,
    pub memory_bytes: usize,
    pub tables: u32,
    pub table_elements: usize,
    pub core_instances: usize,
}

/// Inspects a module file. Only a file that can't be read is an error: everything else is a finding.
pub fn inspect(loader: &Loader, path: &Path, limits: &TenantLimits) -> Result<Inspection, LoadError> {
    Ok(inspect_bytes(loader, &read(path)?, limits))
}

/// Inspects a module in memory.
pub fn inspect_bytes(loader: &Loader, bytes: &[u8], limits: &TenantLimits) -> Inspection {
    let engine = loader.engine();
    let loaded = loader.load(bytes, serde_json::json!({}), limits);
    let mut inspection = Inspection {
        sha256: Digest::of(bytes).full(),
        bytes: bytes.len(),
        kind: kind(bytes),
        imports: Vec::new(),
        exports: Vec::new(),
        needs: None,
        class: None,
        granted: None,
        rewinding: loaded.as_ref().ok().map(|module| module.rewinding().clone()),
        compiled_bytes: None,
        refused: match &loaded {
            // `configure` may fail for want of a tenant's configuration, which is not known here.
            Ok(_) => None,
            Err(error) if error.step() == LoadStep::Configure => None,
            Err(error) => Some(error.to_string()),
        },
    };
    // A module that is refused for its imports can still show them.
    let Ok(bytes) = component_bytes(bytes) else { return inspection };
    if let Err(error) = &loaded
        && error.step() == LoadStep::Configure
    {
        inspection.rewinding = Some(without_configuration(&bytes, error));
    }
    let needs = Needs::of(&bytes);
    let (class, granted) = (needs.class(), limits.of(needs.class()));
    inspection.needs = Some(needs);
    inspection.class = Some(class);
    inspection.granted = Some(ModuleLimits {
        memories: ceiling::MEMORIES,
        memory_bytes: granted.memory_bytes,
        tables: ceiling::TABLES,
        table_elements: granted.table_elements,
        core_instances: granted.instances,
    });
    let component = match loaded {
        Ok(module) => Ok(module.component().clone()),
        Err(_) => Component::new(engine, bytes),
    };
    if let Ok(component) = component {
        let (ty, image) = (component.component_type(), component.image_range());
        let own = |name: &str| !inspection.rewinding.as_ref().is_some_and(|rewinding| rewinding.added(name));
        let imports = ty.imports(engine).filter(|(name, import)| needs_host(&import.ty) && own(name));
        let imports = imports.map(|(name, _)| name.to_owned()).collect();
        let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).filter(|name| own(name)).collect();
        (inspection.imports, inspection.exports) = (imports, exports);
        inspection.compiled_bytes = Some(image.end.addr().saturating_sub(image.start.addr()));
    }
    inspection
}

/// Whether a module is rewound whose `configure` fails with this error without the configuration of a tenant.
fn without_configuration(component: &[u8], error: &LoadError) -> Rewinding {
    let can_be_kept = catch_unwind(|| Instrumented::new(component).map(|_| ())).unwrap_or_else(|_| Err(UNKNOWN.into()));
    let obstacle = match (can_be_kept, instrument(component)) {
        (Err(reason), _) => Some(in_each_instance(&reason)),
        // The snapshot has no start functions.
        (Ok(()), Ok(_) | Err(NotRewindable::Starts)) => None,
        (Ok(()), Err(not)) => Some(not.to_string()),
    };
    match obstacle {
        Some(reason) => Rewinding::Impossible { reason },
        None => Rewinding::Unknown {
            reason: format!(
                "it depends on the state that `configure` leaves with a tenant's configuration, which `pointsman \
                 decide --config FILE` reads; without one {error}"
            ),
        },
    }
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    if wasmparser::Parser::is_component(bytes) {
        Some("component")
    } else if wasmparser::Parser::is_core_wasm(bytes) {
        Some("core module")
    } else {
        None
    }
}
