//! What a module is made of, for its author: imports, exports, sizes, and what would refuse it.

use serde::Serialize;
use std::path::Path;

use wasmtime::component::Component;

use crate::config::Limits;
use crate::module::encode::component_bytes;
use crate::module::load::{memory_bytes, needs_host, read};
use crate::module::{Digest, LoadError, LoadStep, Loader};

/// A module, taken apart.
#[derive(Debug, Serialize)]
pub struct Inspection {
    pub sha256: String,
    pub bytes: usize,
    /// `component` or `core module`. None if it is neither.
    pub kind: Option<&'static str>,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub needs: Option<Needs>,
    /// Why it would not be loaded. None: it would.
    pub refused: Option<String>,
}

/// What one instance takes at its start.
#[derive(Debug, Serialize)]
pub struct Needs {
    pub memories: u32,
    pub memory_bytes: u64,
    pub tables: u32,
    pub table_elements: u64,
    /// Compiled code and data, in bytes.
    pub compiled_bytes: usize,
}

/// Looks at a module file. Only a file that can't be read is an error: all else is a finding.
pub fn inspect(loader: &Loader, path: &Path, limits: &Limits) -> Result<Inspection, LoadError> {
    Ok(inspect_bytes(loader, &read(path)?, limits))
}

/// Looks at a module in memory.
pub fn inspect_bytes(loader: &Loader, bytes: &[u8], limits: &Limits) -> Inspection {
    let engine = loader.engine();
    let mut inspection = Inspection {
        sha256: Digest::of(bytes).full(),
        bytes: bytes.len(),
        kind: kind(bytes),
        imports: Vec::new(),
        exports: Vec::new(),
        needs: None,
        refused: match loader.load(bytes, serde_json::json!({}), limits) {
            // What `configure` needs is in the configuration of a tenant.
            Ok(_) => None,
            Err(error) if error.step() == LoadStep::Configure => None,
            Err(error) => Some(error.to_string()),
        },
    };
    // A module that is refused for its imports can still show them.
    if let Ok(component) = component_bytes(bytes).and_then(|bytes| {
        Component::new(engine, bytes).map_err(|error| LoadError::Compile { message: error.to_string() })
    }) {
        let ty = component.component_type();
        let imports = ty.imports(engine).filter(|(_, import)| needs_host(&import.ty));
        inspection.imports = imports.map(|(name, _)| name.to_owned()).collect();
        inspection.exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        inspection.needs = needs(&component);
    }
    inspection
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

fn needs(component: &Component) -> Option<Needs> {
    let required = component.resources_required()?;
    let image = component.image_range();
    Some(Needs {
        memories: required.num_memories,
        memory_bytes: memory_bytes(&required),
        tables: required.num_tables,
        table_elements: required.max_initial_table_size.unwrap_or(0),
        compiled_bytes: image.end.addr().saturating_sub(image.start.addr()),
    })
}
