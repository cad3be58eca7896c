//! Counts the items of a component, while it is copied.

use std::collections::HashMap;

use wasm_encoder::reencode::{ReencodeComponent as _, RoundtripReencoder};
use wasm_encoder::{CanonicalOption, Component, ComponentSectionId, ComponentValType, RawSection};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentFuncType, ComponentOuterAliasKind,
    ComponentType, ExternalKind, Instance, Parser, Payload,
};

use super::DECIDES;
use super::NotRewindable;
use super::exporting::{State, UNKNOWN, add, exporting};

/// The number of items of each kind, so that added items get the next indices.
#[derive(Default)]
pub struct Outline {
    pub modules: Vec<State>,
    pub core_instances: u32,
    pub core_functions: u32,
    pub core_memories: u32,
    pub functions: u32,
    /// Functions of the component that are lifted core functions, by index.
    lifted: HashMap<u32, LiftedFunction>,
    /// Types of functions, by index.
    signatures: HashMap<u32, Signature>,
    /// The function that decides.
    select_peer: Option<LiftedFunction>,
    pub instances: u32,
    pub types: u32,
}

/// A function of the component: a core function, and how it is called.
#[derive(Clone)]
pub struct LiftedFunction {
    pub core_function: u32,
    ty: u32,
    /// Without the post-return function.
    pub options: Vec<CanonicalOption>,
    /// The post-return function.
    pub after: Option<u32>,
}

/// The type of a function that has one parameter and one result.
#[derive(Clone, Copy)]
pub struct Signature {
    pub parameter: ComponentValType,
    pub result: ComponentValType,
}

impl Outline {
    /// Copies all sections, with core modules that export their state.
    pub fn copy(&mut self, component: &[u8], encoder: &mut Component) -> Result<(), NotRewindable> {
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
                    return Err(NotRewindable::Form("a component within it that has core modules"));
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

    fn count(&mut self, payload: Payload<'_>) -> Result<(), NotRewindable> {
        match payload {
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        let at = usize::try_from(module_index).unwrap_or(usize::MAX);
                        let module = self.modules.get_mut(at).ok_or(NotRewindable::Form("an imported core module"))?;
                        if module.instance.replace(self.core_instances).is_some() {
                            return Err(NotRewindable::Form("a core module with more than one instance"));
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
                        ComponentAlias::Outer { .. } => {
                            return Err(NotRewindable::Form("an alias of an item of its outer component"));
                        }
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    match function? {
                        CanonicalFunction::Lift { core_func_index, type_index, options } => {
                            let lifted = LiftedFunction::new(core_func_index, type_index, &options)?;
                            self.lifted.insert(self.functions, lifted);
                            add(&mut self.functions);
                        }
                        CanonicalFunction::Lower { .. } | CanonicalFunction::ResourceDrop { .. } => {
                            add(&mut self.core_functions);
                        }
                        _ => {
                            return Err(NotRewindable::Form("a built-in function other than `resource.drop`"));
                        }
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
                    if export.kind == ComponentExternalKind::Func && export.name.name == DECIDES {
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
            Payload::ComponentStartSection { .. } => {
                return Err(NotRewindable::Form("a start function of a component"));
            }
            _ => {}
        }
        Ok(())
    }

    fn item(&mut self, kind: ComponentExternalKind) -> Result<(), NotRewindable> {
        match kind {
            ComponentExternalKind::Func => add(&mut self.functions),
            ComponentExternalKind::Instance => add(&mut self.instances),
            ComponentExternalKind::Type => add(&mut self.types),
            // Inner components have no core modules, and the linker offers no components for import.
            ComponentExternalKind::Component => {}
            ComponentExternalKind::Module | ComponentExternalKind::Value => {
                return Err(NotRewindable::Form("a core module or a value from elsewhere"));
            }
        }
        Ok(())
    }

    /// The core modules that have an instance, with its index.
    pub fn live(&self) -> impl Iterator<Item = (&State, u32)> + Clone {
        self.modules.iter().filter_map(|module| Some((module, module.instance?)))
    }

    /// The function that decides, and its signature.
    pub fn select_peer(&self) -> Result<(&LiftedFunction, Signature), NotRewindable> {
        let lifted =
            self.select_peer.as_ref().ok_or(NotRewindable::Form("a `select-peer` that is not a core module's"))?;
        let signature =
            self.signatures.get(&lifted.ty).ok_or(NotRewindable::Form("a `select-peer` of an unknown type"))?;
        Ok((lifted, *signature))
    }
}

impl LiftedFunction {
    fn new(
        core_function: u32,
        ty: u32,
        options: &[wasmparser::CanonicalOption],
    ) -> Result<LiftedFunction, NotRewindable> {
        let mut lifted = LiftedFunction { core_function, ty, options: Vec::new(), after: None };
        for option in options {
            match option {
                wasmparser::CanonicalOption::PostReturn(after) => lifted.after = Some(*after),
                option => lifted.options.push(RoundtripReencoder.canonical_option(*option).map_err(|_| UNKNOWN)?),
            }
        }
        Ok(lifted)
    }

    /// The memory that contains its results, if its strings are in UTF-8.
    pub fn answers(&self) -> Option<u32> {
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

/// Refuses resources that the component defines: the host does not see their handles.
fn no_resources(types: wasmparser::SectionLimited<'_, ComponentType<'_>>) -> Result<(), NotRewindable> {
    for ty in types {
        if let ComponentType::Resource { .. } = ty? {
            return Err(NotRewindable::Form("its own resource type"));
        }
    }
    Ok(())
}

/// Refuses core instances in an inner component: they would be out of reach, wherever their modules come from.
fn no_instances(instances: wasmparser::SectionLimited<'_, Instance<'_>>) -> Result<(), NotRewindable> {
    for instance in instances {
        if let Instance::Instantiate { .. } = instance? {
            return Err(NotRewindable::Form("a component within it that has core instances"));
        }
    }
    Ok(())
}

/// Skips to the end of the core module that begins here.
fn skip<'a>(parser: &mut impl Iterator<Item = wasmparser::Result<Payload<'a>>>) -> Result<(), NotRewindable> {
    for payload in parser {
        if let Payload::End(_) = payload? {
            break;
        }
    }
    Ok(())
}
