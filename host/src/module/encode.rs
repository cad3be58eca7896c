//! From the bytes of a file to those of a component.

use wasmparser::{Parser, Payload, Validator};

use crate::module::LoadError;
use crate::module::packages::Dependencies;
use crate::text::printable;

/// The bytes of a component, encoded here if they are a core module that carries its component type.
pub(super) fn component_bytes(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    Validator::new().validate_all(bytes).map_err(invalid)?;
    if Parser::is_component(bytes) {
        return Ok(bytes.to_owned());
    }
    check_core(bytes)?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Encode { message: format!("{error:#}") })
}

/// Mistakes in a core module that would otherwise show as an odd encoding error.
fn check_core(bytes: &[u8]) -> Result<(), LoadError> {
    let (mut typed, mut packages) = (false, Dependencies::default());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                typed = true;
                packages.add(section.data());
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let module = import.map_err(invalid)?.module;
                    if module.starts_with("wasi_snapshot_preview1") || module == "wasi_unstable" {
                        return Err(LoadError::CoreWasi { import: module.to_owned() });
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(circle) = packages.circle() {
        const LONGEST: usize = 256;
        let packages = circle.into_iter().collect::<Vec<_>>().join("`, `");
        return Err(LoadError::Circle { packages: printable(&packages, LONGEST).0 });
    }
    if typed { Ok(()) } else { Err(LoadError::NoComponentType) }
}

pub(super) fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid { offset: error.offset(), message: error.message().to_owned() }
}
