//! Adds sections to a component, after its own: the items that they define get the next indices of each kind.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentImportSection, ComponentTypeRef, ComponentTypeSection, ComponentValType,
    ExportKind, InstanceSection, InstanceType, ModuleArg, ModuleSection, PrimitiveValType,
};

use super::added::{AFTER, ANSWERS_MEMORY, COMPONENT, DECIDE, Own, added};
use super::exporting::memory_name;
use super::outline::{LiftedFunction, Outline, Signature};
use super::{ANSWERS, HOST, MEMORY, NotRewindable, READ_ANSWER, SELECT_PEER};

/// Among the added types, those of the imported instance and of the two exported functions.
const OF_HOST: u32 = 0;
const OF_SELECT_PEER: u32 = 1;
const OF_READ_ANSWER: u32 = 2;

/// Among the added functions of the component, the two that are imported, and the first that is lifted.
const TELL_MEMORY: u32 = 0;
const TELL_ANSWERS: u32 = 1;
const TOLD: u32 = 2;

pub fn add(outline: &Outline, encoder: &mut Component) -> Result<(), NotRewindable> {
    let (own, signature) = outline.select_peer()?;
    types(signature, encoder);
    import(outline, encoder);
    let first = instance(outline, own, encoder)?;
    export(outline, own, first, encoder);
    Ok(())
}

fn types(Signature { parameter, result }: Signature, encoder: &mut Component) {
    let primitive = ComponentValType::Primitive;
    let mut host = InstanceType::new();
    host.ty().defined_type().list(primitive(PrimitiveValType::U8));
    let parameters = [("first", ComponentValType::Type(0)), ("last", ComponentValType::Type(0))];
    host.ty().function().params(parameters).result(None);
    for name in [MEMORY, ANSWERS] {
        host.export(name, ComponentTypeRef::Func(1));
    }
    let mut types = ComponentTypeSection::new();
    types.instance(&host);
    let (rewind, place) = (primitive(PrimitiveValType::Bool), primitive(PrimitiveValType::U32));
    types.function().params([("request", parameter), ("rewind", rewind)]).result(Some(place));
    types.function().params::<_, ComponentValType>([]).result(Some(result));
    encoder.section(&types);
}

fn import(outline: &Outline, encoder: &mut Component) {
    let mut imports = ComponentImportSection::new();
    imports.import(HOST, ComponentTypeRef::Instance(behind(outline.types, OF_HOST)));
    encoder.section(&imports);
}

/// Adds the core module and its instance. Its arguments are the memories and globals of all others, functions that
/// report memories, and the component's own function that decides. Returns the index of its first function.
fn instance(outline: &Outline, own: &LiftedFunction, encoder: &mut Component) -> Result<u32, NotRewindable> {
    let mut aliases = ComponentAliasSection::new();
    for name in [MEMORY, ANSWERS] {
        aliases.alias(Alias::InstanceExport { instance: outline.instances, kind: ComponentExportKind::Func, name });
    }
    let mut tells = CanonicalFunctionSection::new();
    let mut items = Vec::new();
    for (module, instance) in outline.live() {
        for number in 0..module.memories.len() {
            let function = behind(outline.core_functions, tells.len());
            items.push((tells.len().to_string(), ExportKind::Func, function));
            let memory = behind(outline.core_memories, tells.len());
            let name = &memory_name(number);
            aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Memory, name });
            tells.lower(behind(outline.functions, TELL_MEMORY), [CanonicalOption::Memory(memory)]);
        }
    }
    let answers = own.answers();
    if let Some(memory) = answers {
        let function = behind(outline.core_functions, tells.len());
        items.push((ANSWERS.to_owned(), ExportKind::Func, function));
        items.push((ANSWERS_MEMORY.to_owned(), ExportKind::Memory, memory));
        tells.lower(behind(outline.functions, TELL_ANSWERS), [CanonicalOption::Memory(memory)]);
    }
    items.push((DECIDE.to_owned(), ExportKind::Func, own.core_function));
    items.extend(own.after.map(|after| (AFTER.to_owned(), ExportKind::Func, after)));
    encoder.section(&aliases);
    encoder.section(&tells);
    let own = Own { has_after: own.after.is_some(), has_answers: answers.is_some() };
    encoder.section(&ModuleSection(&added(outline.live(), own)?));

    let mut arguments = vec![(COMPONENT.to_owned(), ModuleArg::Instance(outline.core_instances))];
    arguments.extend(outline.live().map(|(_, instance)| (instance.to_string(), ModuleArg::Instance(instance))));
    let module = u32::try_from(outline.modules.len()).unwrap_or(u32::MAX);
    let mut instances = InstanceSection::new();
    instances.export_items(items.iter().map(|(name, kind, index)| (name.as_str(), *kind, *index)));
    instances.instantiate(module, arguments.iter().map(|(name, argument)| (name.as_str(), *argument)));
    encoder.section(&instances);
    Ok(behind(outline.core_functions, tells.len()))
}

/// Lifts and exports the functions of that instance: core functions from index `first` on.
fn export(outline: &Outline, own: &LiftedFunction, first: u32, encoder: &mut Component) {
    let (mut aliases, mut exports) = (ComponentAliasSection::new(), ComponentExportSection::new());
    let instance = behind(outline.core_instances, 1);
    for (name, function) in [(SELECT_PEER, 0), (READ_ANSWER, 1)] {
        aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Func, name });
        let function = behind(outline.functions, TOLD).saturating_add(function);
        exports.export(name, ComponentExportKind::Func, function, None);
    }
    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(first, behind(outline.types, OF_SELECT_PEER), []);
    lifted.lift(behind(first, 1), behind(outline.types, OF_READ_ANSWER), own.options.iter().copied());
    encoder.section(&aliases);
    encoder.section(&lifted);
    encoder.section(&exports);
}

/// The index of an item that is `added` after the component's `own` ones.
fn behind(own: u32, added: u32) -> u32 {
    own.saturating_add(added)
}
