//! Rewrites core modules to export the state that their instances can change, and checks that this is all of it.

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ExportKind, ExportSection, GlobalType, MemoryType, Module, RawSection, SectionId};
use wasmparser::{FunctionBody, Operator, Parser, Payload};

use super::NotRewindable;

/// The state that an instance of a core module can change.
#[derive(Default)]
pub struct State {
    pub memories: Vec<MemoryType>,
    /// Types of the mutable ones.
    pub globals: Vec<GlobalType>,
    /// Whether it has a start function, which may leave another state in each instance.
    pub starts: bool,
    /// The index of its only instance.
    pub instance: Option<u32>,
}

pub fn memory_name(number: usize) -> String {
    format!("pointsman:memory:{number}")
}

pub fn global_name(number: usize) -> String {
    format!("pointsman:global:{number}")
}

/// Makes a core module export the state that its instances can change.
pub fn exporting(module: &[u8]) -> Result<(State, Vec<u8>), NotRewindable> {
    let mut state = State::default();
    let (mut memories, mut globals) = (0_u32, 0_u32);
    let mut added = Vec::new();
    let mut exports = ExportSection::new();
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let section = payload.as_section();
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        wasmparser::TypeRef::Memory(_) => add(&mut memories),
                        wasmparser::TypeRef::Global(_) => add(&mut globals),
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(defined) => {
                for memory in defined {
                    added.push((memory_name(state.memories.len()), ExportKind::Memory, memories));
                    state.memories.push(RoundtripReencoder.memory_type(memory?).map_err(|_| UNKNOWN)?);
                    add(&mut memories);
                }
            }
            Payload::GlobalSection(defined) => {
                for global in defined {
                    let ty = global?.ty;
                    if ty.mutable {
                        if matches!(ty.content_type, wasmparser::ValType::Ref(_)) {
                            return Err(NotRewindable::Form("a global that holds a reference"));
                        }
                        added.push((global_name(state.globals.len()), ExportKind::Global, globals));
                        state.globals.push(RoundtripReencoder.global_type(ty).map_err(|_| UNKNOWN)?);
                    }
                    add(&mut globals);
                }
            }
            Payload::ExportSection(own) => {
                for export in own {
                    let export = export?;
                    let kind = RoundtripReencoder.export_kind(export.kind).map_err(|_| UNKNOWN)?;
                    exports.export(export.name, kind, export.index);
                }
                continue;
            }
            Payload::StartSection { .. } => state.starts = true,
            Payload::CodeSectionEntry(body) => {
                undone(&body)?;
                continue;
            }
            _ => {}
        }
        if let Some((id, range)) = section {
            sections.push((id, module.get(range).unwrap_or_default()));
        }
    }
    for (name, kind, index) in added {
        exports.export(&name, kind, index);
    }
    let mut encoder = Module::new();
    // Custom sections may be anywhere; exports come before these.
    let after = [SectionId::Start, SectionId::Element, SectionId::DataCount, SectionId::Code, SectionId::Data];
    let after = after.map(u8::from);
    let at = sections.iter().position(|(id, _)| after.contains(id)).unwrap_or(sections.len());
    let (before, rest) = sections.split_at(at);
    for (id, data) in before {
        encoder.section(&RawSection { id: *id, data });
    }
    encoder.section(&exports);
    for (id, data) in rest {
        encoder.section(&RawSection { id: *id, data });
    }
    Ok((state, encoder.finish()))
}

pub const UNKNOWN: NotRewindable = NotRewindable::Form("a type of a memory, a global or an export");

pub fn add(count: &mut u32) {
    *count = count.saturating_add(1);
}

/// Checks that a function changes nothing but memories and globals.
fn undone(body: &FunctionBody<'_>) -> Result<(), NotRewindable> {
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => return Err(NotRewindable::Does("changes a table")),
            Operator::DataDrop { .. } | Operator::ElemDrop { .. } => {
                return Err(NotRewindable::Does("drops a segment"));
            }
            _ => {}
        }
    }
    Ok(())
}
