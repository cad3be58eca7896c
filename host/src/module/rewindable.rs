//! A component whose instances can be put back to the state in which they began: one that lets the host see its memories,
//! and has a second `select-peer`, which begins by setting the globals back. What that is for, and why it is sound, is in
//! `docs/design/rewinding.md`.

use std::collections::HashMap;

use wasm_encoder::reencode::{Reencode, ReencodeComponent, RoundtripReencoder};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentSectionId, ComponentTypeRef,
    ComponentTypeSection, ComponentValType, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, InstanceSection, InstanceType, MemoryType, Module, ModuleArg,
    ModuleSection, PrimitiveValType, RawSection, SectionId, StartSection, TypeSection, ValType,
};
use wasmparser::{
    BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind,
    ComponentType, ExternalKind, FunctionBody, Instance, Operator, Parser, Payload, Validator,
};

use crate::module::world;

/// What is imported to tell where memories lie: a function of each instance's start.
pub const HOST: &str = "pointsman:host/rewind";
/// The function in it: a list that begins where the memory does, and how many pages of 64 KiB there are.
pub const MEMORY: &str = "memory";
/// What is exported to decide with the globals of the start.
pub const SELECT_PEER: &str = "pointsman-select-peer";

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
}

/// What an instance of a core module can change.
#[derive(Default)]
struct State {
    memories: Vec<MemoryType>,
    /// Of those that are mutable.
    globals: Vec<GlobalType>,
    /// The only instance of it.
    instance: Option<u32>,
}

fn memory_name(number: usize) -> String {
    format!("pointsman:memory:{number}")
}

fn global_name(number: usize) -> String {
    format!("pointsman:global:{number}")
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
                            let options = options
                                .iter()
                                .filter(|option| !matches!(option, wasmparser::CanonicalOption::PostReturn(_)))
                                .map(|option| RoundtripReencoder.canonical_option(*option).map_err(|_| UNKNOWN))
                                .collect::<Result<_, _>>()?;
                            let lifted = Lifted { core_function: core_func_index, ty: type_index, options };
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
        let select_peer = self.select_peer.ok_or(Not::Form("a `select-peer` that is not a core module's"))?;
        let live = || self.modules.iter().filter_map(|module| Some((module, module.instance?)));
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
        let mut types = ComponentTypeSection::new();
        types.instance(&see);
        encoder.section(&types);

        let mut imports = ComponentImportSection::new();
        imports.import(HOST, ComponentTypeRef::Instance(self.types));
        encoder.section(&imports);

        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::InstanceExport {
            instance: self.instances,
            kind: ComponentExportKind::Func,
            name: MEMORY,
        });
        let mut lowered = CanonicalFunctionSection::new();
        let mut functions = Vec::new();
        for (module, instance) in live() {
            for number in 0..module.memories.len() {
                let memory = self.core_memories.saturating_add(lowered.len());
                functions.push((lowered.len().to_string(), self.core_functions.saturating_add(lowered.len())));
                let name = &memory_name(number);
                aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Memory, name });
                lowered.lower(self.functions, [CanonicalOption::Memory(memory)]);
            }
        }
        let first = self.core_functions.saturating_add(lowered.len());
        functions.push((world::EXPORT.to_owned(), select_peer.core_function));
        encoder.section(&aliases);
        encoder.section(&lowered);
        encoder.section(&ModuleSection(&rewinding(live())?));

        let (host, rewinding) = (self.core_instances, self.core_instances.saturating_add(1));
        let module = u32::try_from(self.modules.len()).unwrap_or(u32::MAX);
        let mut arguments = vec![("host".to_owned(), ModuleArg::Instance(host))];
        arguments.extend(live().map(|(_, instance)| (instance.to_string(), ModuleArg::Instance(instance))));
        let mut instances = InstanceSection::new();
        instances.export_items(functions.iter().map(|(name, function)| (name.as_str(), ExportKind::Func, *function)));
        instances.instantiate(module, arguments.iter().map(|(name, argument)| (name.as_str(), *argument)));
        encoder.section(&instances);

        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::CoreInstanceExport { instance: rewinding, kind: ExportKind::Func, name: SELECT_PEER });
        encoder.section(&aliases);
        let mut lifted = CanonicalFunctionSection::new();
        // What a decision leaves is undone, so nothing has to be called to free it.
        lifted.lift(first, select_peer.ty, select_peer.options);
        encoder.section(&lifted);
        let mut exports = ComponentExportSection::new();
        // After the one that the alias above made.
        exports.export(SELECT_PEER, ComponentExportKind::Func, self.functions.saturating_add(1), None);
        encoder.section(&exports);
        Ok(())
    }
}

/// The core module that is added: it tells of every memory when an instance starts, and keeps the globals of that moment.
/// Its `select-peer` sets them back and calls the component's.
fn rewinding<'a>(live: impl Iterator<Item = (&'a State, u32)> + Clone) -> Result<Module, Not> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32, ValType::I32], []);
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    let (see, nothing, decide) = (0, 1, 2);

    let mut imports = ImportSection::new();
    let memories: u32 = live.clone().map(|(module, _)| module.memories.iter().map(|_| 1).sum::<u32>()).sum();
    for memory in 0..memories {
        imports.import("host", &memory.to_string(), wasm_encoder::EntityType::Function(see));
    }
    imports.import("host", world::EXPORT, wasm_encoder::EntityType::Function(decide));
    let plain = memories;
    let mut kept = GlobalSection::new();
    for (module, instance) in live {
        for (number, memory) in module.memories.iter().enumerate() {
            imports.import(&instance.to_string(), &memory_name(number), *memory);
        }
        for (number, global) in module.globals.iter().enumerate() {
            imports.import(&instance.to_string(), &global_name(number), *global);
            kept.global(*global, &zero(global.val_type)?);
        }
    }

    let (mut start, mut select_peer) = (Function::new([]), Function::new([]));
    for memory in 0..memories {
        // From 0, one byte if there are any.
        start.instructions().i32_const(0).memory_size(memory).i32_const(0).i32_ne().memory_size(memory).call(memory);
    }
    let globals = kept.len();
    for global in 0..globals {
        let kept = globals.saturating_add(global);
        start.instructions().global_get(global).global_set(kept);
        select_peer.instructions().global_get(kept).global_set(global);
    }
    select_peer.instructions().local_get(0).call(plain);
    let (start_index, select_peer_index) = (plain.saturating_add(1), plain.saturating_add(2));
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for (ty, mut function) in [(nothing, start), (decide, select_peer)] {
        function.instructions().end();
        functions.function(ty);
        code.function(&function);
    }
    let mut exports = ExportSection::new();
    exports.export(SELECT_PEER, ExportKind::Func, select_peer_index);

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&kept).section(&exports);
    module.section(&StartSection { function_index: start_index }).section(&code);
    Ok(module)
}

fn zero(ty: ValType) -> Result<ConstExpr, Not> {
    Ok(match ty {
        ValType::I32 => ConstExpr::i32_const(0),
        ValType::I64 => ConstExpr::i64_const(0),
        ValType::F32 => ConstExpr::f32_const(0.0.into()),
        ValType::F64 => ConstExpr::f64_const(0.0.into()),
        ValType::V128 => ConstExpr::v128_const(0),
        ValType::Ref(_) => return Err(UNKNOWN),
    })
}

/// A core module that exports what its instances can change.
fn exporting(module: &[u8]) -> Result<(State, Vec<u8>), Not> {
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
                            return Err(Not::Form("a global that holds a reference"));
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
            // What it does is not in a snapshot, and may differ from one instance to the next.
            Payload::StartSection { .. } => return Err(Not::Form("a start function")),
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
    let after = [SectionId::Element, SectionId::DataCount, SectionId::Code, SectionId::Data].map(u8::from);
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

const UNKNOWN: Not = Not::Form("a type of a memory, a global or an export");

/// Whether all that a function does is to memories and globals.
fn undone(body: &FunctionBody<'_>) -> Result<(), Not> {
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => return Err(Not::Does("changes a table")),
            Operator::DataDrop { .. } | Operator::ElemDrop { .. } => return Err(Not::Does("drops a segment")),
            _ => {}
        }
    }
    Ok(())
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
