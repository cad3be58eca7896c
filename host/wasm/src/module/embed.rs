//! Turns a compiler's core module into a component: adds the component type, and drops custom sections, which no module
//! needs to decide.

use wasm_encoder::RawSection;
use wasmparser::{Parser, Payload};
use wit_component::{StringEncoding, embed_component_metadata};

use crate::abi::v0_1;
use crate::module::LoadError;
use crate::module::build::exports_configure;
use crate::module::encode::{encoded, invalid};

/// Makes a component of a core module. Its component type is the one that it carries; without one, it is that of the
/// world `router`, or of `configured-router` if the module exports `configure`. `wasi` is the adapter for the older
/// WASI, if the module imports that; None: Wasmtime's adapter.
pub fn componentize(core: &[u8], wasi: Option<&[u8]>, symbols: Symbols) -> Result<Vec<u8>, LoadError> {
    if !Parser::is_core_wasm(core) {
        return Err(LoadError::NotWasm);
    }
    let mut core = StrippedModule::of(core, symbols)?;
    if !core.has_component_type {
        let world = if exports_configure(&core.bytes) { "configured-router" } else { "router" };
        embed(&mut core.bytes, world).map_err(|message| LoadError::Encode { message })?;
    }
    encoded(&core.bytes, wasi)
}

/// Handling of the names of functions, and of debug information (DWARF).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbols {
    Drop,
    /// A decision that fails then shows where.
    Keep,
}

/// A core module without custom sections, except for its component type and its symbols.
struct StrippedModule {
    bytes: Vec<u8>,
    has_component_type: bool,
}

impl StrippedModule {
    fn of(core: &[u8], symbols: Symbols) -> Result<StrippedModule, LoadError> {
        let mut stripped = wasm_encoder::Module::new();
        let mut has_component_type = false;
        for payload in Parser::new(0).parse_all(core) {
            let payload = payload.map_err(invalid)?;
            if let Payload::CustomSection(section) = &payload {
                let is_symbols = section.name() == "name" || section.name().starts_with(".debug_");
                if section.name().starts_with("component-type") {
                    has_component_type = true;
                } else if !is_symbols || symbols == Symbols::Drop {
                    continue;
                }
            }
            if let Some((id, range)) = payload.as_section()
                && let Some(data) = core.get(range)
            {
                stripped.section(&RawSection { id, data });
            }
        }
        Ok(StrippedModule { bytes: stripped.finish(), has_component_type })
    }
}

fn embed(core: &mut Vec<u8>, world: &str) -> Result<(), String> {
    let (resolve, package) = v0_1::resolved_wit()?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|error| format!("{error:#}"))?;
    embed_component_metadata(core, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core module as a compiler without a bindings generator emits it.
    const CORE: &str = r#"(module
        (import "pointsman:router/request@0.1.0" "[resource-drop]request" (func $drop (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "\00\00\00\00\02")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "select-peer") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 64))
        (@custom "producers" "\00")
        MORE)"#;

    fn core(more: &str) -> Vec<u8> {
        wat::parse_str(CORE.replace("MORE", more)).unwrap()
    }

    #[test]
    fn a_core_module_becomes_a_router() {
        let component = componentize(&core(""), None, Symbols::Drop).unwrap();
        assert!(Parser::is_component(&component));
        assert!(!exports_configure(&component));
        let has = |symbols: Symbols, text: &[u8]| {
            let stripped = StrippedModule::of(&core(r#"(@custom ".debug_line" "\00")"#), symbols).unwrap();
            stripped.bytes.windows(text.len()).any(|window| window == text)
        };
        assert!(!has(Symbols::Drop, b"producers") && !has(Symbols::Keep, b"producers"));
        assert!(!has(Symbols::Drop, b".debug_line") && has(Symbols::Keep, b".debug_line"));
    }

    #[test]
    fn core_module_that_exports_configure_becomes_a_configured_router() {
        let configure = r#"(func (export "configure") (param i32 i32) (result i32) (i32.const 80))"#;
        assert!(exports_configure(&componentize(&core(configure), None, Symbols::Drop).unwrap()));
    }

    #[test]
    fn core_module_without_the_export_is_refused() {
        let error = componentize(&wat::parse_str("(module)").unwrap(), None, Symbols::Drop).unwrap_err().to_string();
        assert!(error.contains("select-peer"), "{error}");
        let error = componentize(b"#!/bin/sh", None, Symbols::Drop).unwrap_err().to_string();
        assert!(error.contains("not a WebAssembly file"), "{error}");
    }
}
