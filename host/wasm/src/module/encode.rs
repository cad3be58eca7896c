//! Turns the bytes of a file into those of a component. A core module that imports the older WASI
//! (`wasi_snapshot_preview1`) gets an adapter, Wasmtime's by default, which implements that on top of WASI 0.2.

use pointsman_rules::text::printable;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload, Validator};

use crate::module::LoadError;
use crate::module::packages::Dependencies;
use crate::wasi;

/// The bytes of a component, encoded here if they are a core module that carries its component type.
pub(super) fn component_bytes(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    Validator::new().validate_all(bytes).map_err(invalid)?;
    if Parser::is_component(bytes) {
        return Ok(bytes.to_owned());
    }
    encoded(bytes, None)
}

/// Makes a component of a core module that carries its component type. `adapter` implements the older WASI; None:
/// Wasmtime's adapter does.
pub(super) fn encoded(core: &[u8], adapter: Option<&[u8]>) -> Result<Vec<u8>, LoadError> {
    // First of all: the mistakes that this finds may crash the encoder.
    let wasi = check_core(core)?;
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(core);
    let adapted = match wasi {
        Wasi::None => encoder,
        Wasi::Preview1 => encoder.and_then(|encoder| {
            let adapter = adapter.unwrap_or(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)
        }),
    };
    adapted
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Encode { message: format!("{error:#}") })
}

/// The WASI that a core module imports.
enum Wasi {
    None,
    Preview1,
}

/// Finds mistakes in a core module that would otherwise show as an odd encoding error. Returns the WASI that it
/// imports.
fn check_core(bytes: &[u8]) -> Result<Wasi, LoadError> {
    let (mut typed, mut wasi, mut packages) = (false, Wasi::None, Dependencies::default());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                typed = true;
                packages.add(section.data());
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let module = import.map_err(invalid)?.module;
                    if module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                        wasi = Wasi::Preview1;
                    } else if let Some(remedy) = wasi::core_remedy(module) {
                        return Err(LoadError::CoreWasi { import: module.to_owned(), remedy });
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
    if typed { Ok(wasi) } else { Err(LoadError::NoComponentType) }
}

pub(super) fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid { offset: error.offset(), message: error.message().to_owned() }
}
