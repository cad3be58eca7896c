//! A component whose instances can be put back to the state in which they began: one that lets the host see its memories,
//! and has a second `select-peer`, which can begin by setting the globals back, and tells where the answer lies. What that is
//! for, and why it is sound, is in `docs/design/rewinding.md`.

mod added;
mod exporting;

use std::collections::HashMap;

use wasm_encoder::reencode::{ReencodeComponent as _, RoundtripReencoder};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentImportSection, ComponentSectionId, ComponentTypeRef, ComponentTypeSection,
    ComponentValType, ExportKind, InstanceSection, InstanceType, ModuleArg, ModuleSection, PrimitiveValType,
    RawSection,
};
use wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentFuncType,
    ComponentOuterAliasKind, ComponentType, ExternalKind, Instance, Parser, Payload, Validator,
};

use crate::module::world;
use added::{AFTER, ANSWERS_MEMORY, COMPONENT, DECIDE, Own, added};
use exporting::{State, UNKNOWN, exporting, memory_name};

/// What is imported to tell where memories lie: a function of each instance's start.
pub const HOST: &str = "pointsman:host/rewind";
/// The function in it: a list that begins where the memory does, and how many pages of 64 KiB there are.
pub const MEMORY: &str = "memory";
/// The same of the memory in which answers are.
pub const ANSWERS: &str = "answers";
/// What is exported to decide: with the globals of the start, if the second parameter says so. It tells where the answer
/// lies, which stays there until the next decision.
pub const SELECT_PEER: &str = "pointsman-select-peer";
/// What is exported to have the answer of the last decision.
pub const SAID: &str = "pointsman-said";

/// Why a component is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Not {
    #[error("it has a form that is not known: {0}")]
    Form(&'static str),
    #[error("its code {0}, which is not undone")]
    Does(&'static str),
    #[error("it can't be read: {0}")]
    Unreadable(String),
}

impl From<BinaryReaderError> for Not {
    fn from(error: BinaryReaderError) -> Not {
        Not::Unreadable(error.to_string())
    }
}

/// The component with what rewinding takes, if all of its state can be put back.
pub fn rewindable(component: &[u8]) -> Result<Vec<u8>, Not> {
    let mut outline = Outline::default();
    let mut encoder = Component::new();
    outline.copy(component, &mut encoder)?;
    outline.add_rewinding(&mut encoder)?;
    let bytes = encoder.finish();
    // Among others, a component that has these names already.
    Validator::new().validate_all(&bytes)?;
    Ok(bytes)
}

/// How many there are of each kind, so that what is added has numbers.
#[derive(Default)]
struct Outline {
    modules: Vec<State>,
    core_instances: u32,
    core_functions: u32,
    core_memories: u32,
    functions: u32,
    /// Functions of the component that are core functions, by their number.
    lifted: HashMap<u32, Lifted>,
    /// Types of functions, by their number.
    signatures: HashMap<u32, Signature>,
    /// The one that decides.
    select_peer: Option<Lifted>,
    instances: u32,
    types: u32,
}

/// A function of the component: a core function, and how it is called.
#[derive(Clone)]
struct Lifted {
    core_function: u32,
    ty: u32,
    /// Without what is to be called after it.
    options: Vec<CanonicalOption>,
    /// What is to be called after it.
    after: Option<u32>,
}

/// What a function takes and gives, if that is one value each.
#[derive(Clone, Copy)]
struct Signature {
    parameter: ComponentValType,
    result: ComponentValType,
}

impl Outline {
    /// Copies all sections, with core modules that export their state.
    fn copy(&mut self, component: &[u8], encoder: &mut Component) -> Result<(), Not> {
        // Components within this one; they are copied with the section that they are in.
        let mut depth = 0_u32;
        let mut parser = Parser::new(0).parse_all(component);
        while let Some(payload) = parser.next() {
            let payload = payload?;
            if depth == 0
                && let Some((id, range)) = payload.as_section()
            {
                let data = component.get(range).unwrap_or_default();
                match payload {
                    Payload::ModuleSection { .. } => {
                        let (state, module) = exporting(data)?;
                        self.modules.push(state);
                        encoder.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: &module });
                    }
                    _ => _ = encoder.section(&RawSection { id, data }),
                }
            }
            match payload {
                Payload::ModuleSection { .. } if depth > 0 => {
                    return Err(Not::Form("a component within it that has core modules"));
                }
                // `exporting` has read it.
                Payload::ModuleSection { .. } => skip(&mut parser)?,
                Payload::ComponentSection { .. } => depth = depth.saturating_add(1),
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 0 => self.count(payload)?,
                Payload::ComponentTypeSection(types) => no_resources(types)?,
                Payload::InstanceSection(instances) => no_instances(instances)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn count(&mut self, payload: Payload<'_>) -> Result<(), Not> {
        match payload {
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        let at = usize::try_from(module_index).unwrap_or(usize::MAX);
                        let module = self.modules.get_mut(at).ok_or(Not::Form("an imported core module"))?;
                        if module.instance.replace(self.core_instances).is_some() {
                            return Err(Not::Form("a core module with more than one instance"));
                        }
                    }
                    add(&mut self.core_instances);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                self.instances = self.instances.saturating_add(instances.count());
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    match alias? {
                        ComponentAlias::CoreInstanceExport { kind: ExternalKind::Memory, .. } => {
                            add(&mut self.core_memories);
                        }
                        ComponentAlias::CoreInstanceExport { kind: ExternalKind::Func, .. } => {
                            add(&mut self.core_functions);
                        }
                        ComponentAlias::CoreInstanceExport { .. } => {}
                        ComponentAlias::InstanceExport { kind, .. } => self.item(kind)?,
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, .. } => add(&mut self.types),
                        ComponentAlias::Outer { .. } => return Err(Not::Form("an alias of what is around it")),
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function? {
                        CanonicalFunction::Lift { core_func_index, type_index, options } => {
                            let lifted = Lifted::new(core_func_index, type_index, &options)?;
                            self.lifted.insert(self.functions, lifted);
                            add(&mut self.functions);
                        }
                        CanonicalFunction::Lower { .. } | CanonicalFunction::ResourceDrop { .. } => {
                            add(&mut self.core_functions);
                        }
                        _ => return Err(Not::Form("a built-in function other than of handles that are dropped")),
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    self.item(import?.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Func && export.name.name == world::EXPORT {
                        self.select_peer = self.lifted.get(&export.index).cloned();
                    }
                    self.item(export.kind)?;
                }
            }
            Payload::ComponentTypeSection(types) => {
                for (number, ty) in (self.types..).zip(types.clone()) {
                    if let ComponentType::Func(function) = ty? {
                        self.signatures.extend(Signature::of(&function).map(|signature| (number, signature)));
                    }
                }
                self.types = self.types.saturating_add(types.count());
                no_resources(types)?;
            }
            Payload::ComponentStartSection { .. } => return Err(Not::Form("a start function of a component")),
            _ => {}
        }
        Ok(())
    }

    fn item(&mut self, kind: ComponentExternalKind) -> Result<(), Not> {
        match kind {
            ComponentExternalKind::Func => add(&mut self.functions),
            ComponentExternalKind::Instance => add(&mut self.instances),
            ComponentExternalKind::Type => add(&mut self.types),
            // Components within this one have no core modules, and those from elsewhere no linker has.
            ComponentExternalKind::Component => {}
            ComponentExternalKind::Module | ComponentExternalKind::Value => {
                return Err(Not::Form("a core module or a value from elsewhere"));
            }
        }
        Ok(())
    }

    fn add_rewinding(self, encoder: &mut Component) -> Result<(), Not> {
        let no_select_peer = Not::Form("a `select-peer` that is not a core module's");
        let select_peer = self.select_peer.as_ref().ok_or(no_select_peer)?;
        let unknown = Not::Form("a `select-peer` of an unknown type");
        let Signature { parameter, result } = *self.signatures.get(&select_peer.ty).ok_or(unknown)?;
        let mut see = InstanceType::new();
        see.ty().defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
        see.ty()
            .function()
            .params([
                ("start", ComponentValType::Type(0)),
                ("pages", ComponentValType::Primitive(PrimitiveValType::U32)),
            ])
            .result(None);
        see.export(MEMORY, ComponentTypeRef::Func(1));
        see.export(ANSWERS, ComponentTypeRef::Func(1));
        let mut types = ComponentTypeSection::new();
        types.instance(&see);
        let rewind = ComponentValType::Primitive(PrimitiveValType::Bool);
        let place = ComponentValType::Primitive(PrimitiveValType::U32);
        types.function().params([("request", parameter), ("rewind", rewind)]).result(Some(place));
        types.function().params::<_, ComponentValType>([]).result(Some(result));
        let (decides, says) = (self.types.saturating_add(1), self.types.saturating_add(2));
        encoder.section(&types);

        let mut imports = ComponentImportSection::new();
        imports.import(HOST, ComponentTypeRef::Instance(self.types));
        encoder.section(&imports);

        let mut aliases = ComponentAliasSection::new();
        let (tell_memory, tell_answers) = (self.functions, self.functions.saturating_add(1));
        for name in [MEMORY, ANSWERS] {
            aliases.alias(Alias::InstanceExport { instance: self.instances, kind: ComponentExportKind::Func, name });
        }
        let live = || self.modules.iter().filter_map(|module| Some((module, module.instance?)));
        let mut lowered = CanonicalFunctionSection::new();
        let mut items = Vec::new();
        for (module, instance) in live() {
            for number in 0..module.memories.len() {
                let memory = self.core_memories.saturating_add(lowered.len());
                let function = self.core_functions.saturating_add(lowered.len());
                items.push((lowered.len().to_string(), ExportKind::Func, function));
                let name = &memory_name(number);
                aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Memory, name });
                lowered.lower(tell_memory, [CanonicalOption::Memory(memory)]);
            }
        }
        let answers = select_peer.answers();
        if let Some(memory) = answers {
            let function = self.core_functions.saturating_add(lowered.len());
            items.push((ANSWERS.to_owned(), ExportKind::Func, function));
            items.push((ANSWERS_MEMORY.to_owned(), ExportKind::Memory, memory));
            lowered.lower(tell_answers, [CanonicalOption::Memory(memory)]);
        }
        let first = self.core_functions.saturating_add(lowered.len());
        items.push((DECIDE.to_owned(), ExportKind::Func, select_peer.core_function));
        items.extend(select_peer.after.map(|after| (AFTER.to_owned(), ExportKind::Func, after)));
        encoder.section(&aliases);
        encoder.section(&lowered);
        let own = Own { has_after: select_peer.after.is_some(), has_answers: answers.is_some() };
        encoder.section(&ModuleSection(&added(live(), own)?));

        let (component, instance) = (self.core_instances, self.core_instances.saturating_add(1));
        let module = u32::try_from(self.modules.len()).unwrap_or(u32::MAX);
        let mut arguments = vec![(COMPONENT.to_owned(), ModuleArg::Instance(component))];
        arguments.extend(live().map(|(_, instance)| (instance.to_string(), ModuleArg::Instance(instance))));
        let mut instances = InstanceSection::new();
        instances.export_items(items.iter().map(|(name, kind, index)| (name.as_str(), *kind, *index)));
        instances.instantiate(module, arguments.iter().map(|(name, argument)| (name.as_str(), *argument)));
        encoder.section(&instances);

        let (mut aliases, mut exports) = (ComponentAliasSection::new(), ComponentExportSection::new());
        // After those that the aliases above made.
        let (decide, say) = (self.functions.saturating_add(2), self.functions.saturating_add(3));
        for (name, function) in [(SELECT_PEER, decide), (SAID, say)] {
            aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Func, name });
            exports.export(name, ComponentExportKind::Func, function, None);
        }
        let mut lifted = CanonicalFunctionSection::new();
        lifted.lift(first, decides, []);
        lifted.lift(first.saturating_add(1), says, select_peer.options.iter().copied());
        encoder.section(&aliases);
        encoder.section(&lifted);
        encoder.section(&exports);
        Ok(())
    }
}

impl Lifted {
    fn new(core_function: u32, ty: u32, options: &[wasmparser::CanonicalOption]) -> Result<Lifted, Not> {
        let mut lifted = Lifted { core_function, ty, options: Vec::new(), after: None };
        for option in options {
            match option {
                wasmparser::CanonicalOption::PostReturn(after) => lifted.after = Some(*after),
                option => lifted.options.push(RoundtripReencoder.canonical_option(*option).map_err(|_| UNKNOWN)?),
            }
        }
        Ok(lifted)
    }

    /// The memory in which its results are, if their texts are in UTF-8.
    fn answers(&self) -> Option<u32> {
        let known = |option: &CanonicalOption| {
            matches!(option, CanonicalOption::Memory(_) | CanonicalOption::Realloc(_) | CanonicalOption::UTF8)
        };
        let memory = self.options.iter().find_map(|option| match option {
            CanonicalOption::Memory(memory) => Some(*memory),
            _ => None,
        });
        memory.filter(|_| self.options.iter().all(known))
    }
}

impl Signature {
    fn of(function: &ComponentFuncType<'_>) -> Option<Signature> {
        let [(_, parameter)] = &*function.params else { return None };
        let value = |ty| RoundtripReencoder.component_val_type(ty);
        Some(Signature { parameter: value(*parameter), result: value(function.result?) })
    }
}

/// The host does not see the handles of such.
fn no_resources(types: wasmparser::SectionLimited<'_, ComponentType<'_>>) -> Result<(), Not> {
    for ty in types {
        if let ComponentType::Resource { .. } = ty? {
            return Err(Not::Form("a resource of its own"));
        }
    }
    Ok(())
}

/// Those of a component within this one would be out of reach, whoever's modules they are of.
fn no_instances(instances: wasmparser::SectionLimited<'_, Instance<'_>>) -> Result<(), Not> {
    for instance in instances {
        if let Instance::Instantiate { .. } = instance? {
            return Err(Not::Form("a component within it that has core instances"));
        }
    }
    Ok(())
}

/// To the end of the core module that begins here.
fn skip<'a>(parser: &mut impl Iterator<Item = wasmparser::Result<Payload<'a>>>) -> Result<(), Not> {
    for payload in parser {
        if let Payload::End(_) = payload? {
            break;
        }
    }
    Ok(())
}

fn add(count: &mut u32) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<u8>, Not> {
        rewindable(&wat::parse_str(text).expect("a component"))
    }

    #[test]
    fn state_of_every_core_module_is_reached() {
        let text = r#"(component
            (core module $one (memory (export "memory") 2) (global (mut i32) (i32.const 7))
              (func (export "f") (param i32) (result i32) (local.get 0)))
            (core module $two (import "one" "memory" (memory 1)) (global (mut v128) (v128.const i64x2 1 2))
              (global i32 (i32.const 1)) (memory 0))
            (core instance $one (instantiate $one))
            (core instance (instantiate $two (with "one" (instance $one))))
            (func (export "select-peer") (param "request" u32) (result u32) (canon lift (core func $one "f"))))"#;
        let printed = of(text).expect("a component");
        let count = |what: &[u8]| printed.windows(what.len()).filter(|window| *window == what).count();
        // Exported by one core module, imported by the other, and aliased where it is a memory.
        assert_eq!(count(b"pointsman:memory:0"), 6);
        assert_eq!(count(b"pointsman:global:0"), 4);
        assert_eq!(count(b"pointsman:global:1"), 0);
    }

    /// The host reads texts in UTF-8.
    #[test]
    fn answers_are_read_where_their_texts_are_utf_8() {
        let read = |options: &str| {
            let text = format!(
                r#"(component
                (core module $m (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (i32.const 8)))
                (core instance $m (instantiate $m))
                (func (export "select-peer") (param "request" u32) (result string)
                  (canon lift (core func $m "f") (memory $m "memory") {options})))"#
            );
            let component = of(&text).expect("a component");
            component.windows(ANSWERS_MEMORY.len()).any(|window| window == ANSWERS_MEMORY.as_bytes())
        };
        assert!(read("") && read("string-encoding=utf8"));
        assert!(!read("string-encoding=utf16") && !read("string-encoding=latin1+utf16"));
    }

    #[track_caller]
    fn is_left(text: &str, because: &str) {
        let error = of(text).expect_err("it is left").to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_can_not_be_undone_is_left() {
        let router = |other: &str| {
            format!(
                "(component (core module $m (func (export \"f\") (param i32) (result i32) (local.get 0))) \
                 (core instance $m (instantiate $m)) \
                 (func (export \"select-peer\") (param \"request\" u32) (result u32) (canon lift (core func $m \"f\"))) \
                 {other})"
            )
        };
        let code = |code: &str| {
            router(&format!("(core module (table 1 funcref) (elem $e func) (memory 1) (data $d \"\") (func {code}))"))
        };
        is_left(&code("(table.set (i32.const 0) (ref.null func))"), "table");
        is_left(&code("(drop (table.grow (ref.null func) (i32.const 0)))"), "table");
        is_left(&code("(table.fill (i32.const 0) (ref.null func) (i32.const 0))"), "table");
        is_left(&code("(table.copy (i32.const 0) (i32.const 0) (i32.const 0))"), "table");
        is_left(&code("(table.init $e (i32.const 0) (i32.const 0) (i32.const 0))"), "table");
        is_left(&code("data.drop $d"), "segment");
        is_left(&code("elem.drop $e"), "segment");
        is_left("(component (core module (func $f) (start $f)))", "start function");
        is_left("(component (core module (global (mut funcref) (ref.null func))))", "reference");
        is_left("(component (type (resource (rep i32))))", "resource");
        is_left("(component (component (type (resource (rep i32)))))", "resource");
        is_left("(component (component (core module)))", "within");
        let outer = "(component (core module $m) (component (alias outer 1 $m (core module $n)) \
                     (core instance (instantiate $n))))";
        is_left(outer, "within");
        is_left(
            "(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))",
            "more than one",
        );
        is_left("(component)", "`select-peer`");
        is_left(&router(&format!("(import \"{HOST}\" (instance))")), HOST);
        assert!(of(&code("(i32.store (i32.const 0) (i32.const 1))")).is_ok());
    }
}
