//! Reads from a component what one instance takes at its start, and derives the class of the module.

use pointsman_rules::config::{Class, Limits};
use pointsman_rules::limit_key::LimitKey;
use serde::{Deserialize, Serialize};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, Instance,
    Parser, Payload,
};

use crate::engine::ceiling;
use crate::module::LoadError;

const PAGE_BYTES: u64 = 65_536;

/// Limits of a small module: one that is above any of these contains a language runtime. Modules from C, Rust, Zig and
/// AssemblyScript have one memory of 1 MiB, two tables of fewer than 100 elements and 4 core instances, WASI's adapter
/// included.
mod small {
    /// QuickJS has 3, unless the SDK for JavaScript builds it.
    pub const MEMORIES: u32 = 1;
    /// CPython starts with 12.4 MiB, StarlingMonkey with 9 and more.
    pub const MEMORY_BYTES: u64 = 4 * 1024 * 1024;
    /// QuickJS has one of 765; Go, CPython and StarlingMonkey have one of 5,700 to 7,700.
    pub const TABLE_ELEMENTS: u64 = 500;
    /// QuickJS has 6 or 11, CPython 38.
    pub const CORE_INSTANCES: u64 = 8;
}

/// The resources that one instance takes at its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    pub memories: u32,
    /// Of all memories together.
    pub memory_bytes: u64,
    pub tables: u32,
    /// Of the largest table.
    pub table_elements: u64,
    pub core_instances: u64,
}

impl Needs {
    /// Reads a component's bytes. Core modules that it imports are not counted: no known toolchain produces such a
    /// component, and the store's limits hold anyway.
    pub fn of(component: &[u8]) -> Needs {
        let mut frames = vec![Frame::default()];
        for payload in Parser::new(0).parse_all(component) {
            let Ok(payload) = payload else { break };
            read(&mut frames, payload);
        }
        frames.first().map(|outermost| outermost.total).unwrap_or_default()
    }

    pub fn class(&self) -> Class {
        let is_small = self.memories <= small::MEMORIES
            && self.memory_bytes <= small::MEMORY_BYTES
            && self.table_elements <= small::TABLE_ELEMENTS
            && self.core_instances <= small::CORE_INSTANCES;
        if is_small { Class::Small } else { Class::Runtime }
    }

    /// Checks that they fit the tenant's limits: an error at load is better than one for each request.
    pub fn check(&self, limits: &Limits) -> Result<(), LoadError> {
        let within = |what, needed: u64, limit: u64, key| match needed > limit {
            true => Err(LoadError::NeedsTooMuch { what, needed, limit, key }),
            false => Ok(()),
        };
        let limit_of = |limit: usize| u64::try_from(limit).unwrap_or(u64::MAX);
        let (table_elements, instances) = (limit_of(limits.table_elements), limit_of(limits.instances));
        within("memories", self.memories.into(), ceiling::MEMORIES.into(), None)?;
        within("tables", self.tables.into(), ceiling::TABLES.into(), None)?;
        within(
            "bytes of memory at its start",
            self.memory_bytes,
            limit_of(limits.memory_bytes),
            Some(LimitKey::MemoryMib),
        )?;
        within(
            "elements in one table at its start",
            self.table_elements,
            table_elements,
            Some(LimitKey::TableElements),
        )?;
        within("core instances", self.core_instances, instances, Some(LimitKey::Instances))
    }

    fn add(&mut self, other: &Needs) {
        self.memories = self.memories.saturating_add(other.memories);
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.tables = self.tables.saturating_add(other.tables);
        self.table_elements = self.table_elements.max(other.table_elements);
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
    }
}

/// A component, or a core module, that is being read. The modules and components in it are instantiated by their index.
#[derive(Default)]
struct Frame {
    is_module: bool,
    modules: Vec<Needs>,
    components: Vec<Needs>,
    total: Needs,
}

fn read(frames: &mut Vec<Frame>, payload: Payload<'_>) {
    match payload {
        Payload::ModuleSection { .. } => {
            let total = Needs { core_instances: 1, ..Needs::default() };
            frames.push(Frame { is_module: true, total, ..Frame::default() });
            return;
        }
        Payload::ComponentSection { .. } => {
            frames.push(Frame::default());
            return;
        }
        Payload::End(_) if frames.len() > 1 => {
            if let (Some(ended), Some(around)) = (frames.pop(), frames.last_mut()) {
                let space = if ended.is_module { &mut around.modules } else { &mut around.components };
                space.push(ended.total);
            }
            return;
        }
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases.into_iter().flatten() {
                read_alias(frames, &alias);
            }
            return;
        }
        _ => {}
    }
    let Some(frame) = frames.last_mut() else { return };
    match payload {
        Payload::MemorySection(memories) => {
            for memory in memories.into_iter().flatten() {
                let bytes = memory.initial.saturating_mul(PAGE_BYTES);
                frame.total.add(&Needs { memories: 1, memory_bytes: bytes, ..Needs::default() });
            }
        }
        Payload::TableSection(tables) => {
            for table in tables.into_iter().flatten() {
                frame.total.add(&Needs { tables: 1, table_elements: table.ty.initial, ..Needs::default() });
            }
        }
        Payload::InstanceSection(instances) => {
            for instance in instances.into_iter().flatten() {
                if let Instance::Instantiate { module_index, .. } = instance {
                    frame.total.add(&at(&frame.modules, module_index));
                }
            }
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances.into_iter().flatten() {
                if let ComponentInstance::Instantiate { component_index, .. } = instance {
                    frame.total.add(&at(&frame.components, component_index));
                }
            }
        }
        Payload::ComponentImportSection(imports) => {
            for import in imports.into_iter().flatten() {
                match import.ty {
                    ComponentTypeRef::Module(_) => frame.modules.push(Needs::default()),
                    ComponentTypeRef::Component(_) => frame.components.push(Needs::default()),
                    _ => {}
                }
            }
        }
        // An export gets an index of its own.
        Payload::ComponentExportSection(exports) => {
            for export in exports.into_iter().flatten() {
                match export.kind {
                    ComponentExternalKind::Module => frame.modules.push(at(&frame.modules, export.index)),
                    ComponentExternalKind::Component => frame.components.push(at(&frame.components, export.index)),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn read_alias(frames: &mut [Frame], alias: &ComponentAlias<'_>) {
    let (is_module, needs) = match *alias {
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => (true, Needs::default()),
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => (false, Needs::default()),
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, count, index } => {
            (true, around(frames, count).map(|frame| at(&frame.modules, index)).unwrap_or_default())
        }
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
            (false, around(frames, count).map(|frame| at(&frame.components, index)).unwrap_or_default())
        }
        _ => return,
    };
    if let Some(frame) = frames.last_mut() {
        let space = if is_module { &mut frame.modules } else { &mut frame.components };
        space.push(needs);
    }
}

/// The frame `count` steps out; 0 is the innermost.
fn around(frames: &[Frame], count: u32) -> Option<&Frame> {
    frames.iter().rev().nth(usize::try_from(count).ok()?)
}

fn at(space: &[Needs], index: u32) -> Needs {
    usize::try_from(index).ok().and_then(|index| space.get(index)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(wat: &str) -> Needs {
        Needs::of(&wat::parse_str(wat).expect("a component"))
    }

    #[test]
    fn needs_are_those_of_all_core_instances() {
        let nested = r#"(component
            (core module $one (memory 2) (table 10 funcref))
            (core module $two (memory 3) (table 20 funcref) (table 5 funcref))
            (component $inner
              (alias outer 1 1 (core module $m))
              (core instance (instantiate $m)) (core instance (instantiate $m)))
            (core instance (instantiate $one))
            (instance (instantiate $inner)) (instance (instantiate $inner)))"#;
        let expected =
            Needs { memories: 5, memory_bytes: 14 * PAGE_BYTES, tables: 9, table_elements: 20, core_instances: 5 };
        assert_eq!(needs(nested), expected);
        assert_eq!(needs("(component (core module (memory 9)))"), Needs::default());
        assert_eq!(Needs::of(b"\0asm"), Needs::default());
    }

    #[test]
    fn module_with_a_runtime_is_recognized_by_its_needs() {
        let small =
            Needs { memories: 1, memory_bytes: 18 * PAGE_BYTES, tables: 2, table_elements: 90, core_instances: 4 };
        assert_eq!(small.class(), Class::Small);
        for runtime in [
            Needs { memories: 3, tables: 3, core_instances: 11, ..small },
            Needs { memory_bytes: 26 * PAGE_BYTES, table_elements: 765, core_instances: 6, ..small },
            Needs { memory_bytes: 9 * 1024 * 1024, table_elements: 7_690, ..small },
            Needs { memory_bytes: 12_976_128, table_elements: 5_698, core_instances: 38, ..small },
            Needs { table_elements: 5_763, ..small },
        ] {
            assert_eq!(runtime.class(), Class::Runtime, "{runtime:?}");
            assert!(runtime.check(&Limits::of(Class::Runtime)).is_ok());
        }
    }

    #[test]
    fn exceeded_limit_is_reported_with_its_key() {
        let message = |needs: Needs| needs.check(&Limits::of(Class::Small)).map_err(|error| error.to_string());
        assert!(message(Needs { core_instances: 65, ..Needs::default() }).is_err_and(|error| {
            error == "it needs 65 core instances; 64 are allowed (raise the tenant's `limits.instances`)"
        }));
        assert!(
            message(Needs { memories: 9, ..Needs::default() }).is_err_and(|error| error.ends_with("8 are allowed"))
        );
    }
}
