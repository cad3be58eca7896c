//! Builds the core module that is added to a component.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, InstructionSink, MemoryType, Module, StartSection, TypeSection, ValType,
};

use super::exporting::{State, UNKNOWN, global_name, memory_name};
use super::{ANSWERS, NotRewindable, READ_ANSWER, SELECT_PEER};

/// The module name of the imports from the component. Other imports come from its core instances, named by their index.
pub const COMPONENT: &str = "component";
/// The component's own function that decides, its post-return function, and the memory that contains its answers.
pub const DECIDE: &str = "decide";
pub const AFTER: &str = "after";
pub const ANSWERS_MEMORY: &str = "answers-memory";

/// Properties of the component's own function that decides.
#[derive(Clone, Copy)]
pub struct Own {
    /// Whether it has a post-return function.
    pub has_after: bool,
    /// Whether the host can read its answers.
    pub has_answers: bool,
}

/// When an instance starts, the module reports every memory to the host and copies the globals. Its `select-peer` first
/// restores the globals, or calls the post-return function of the previous decision, as its second parameter says; then
/// it calls the component's own function and returns the address of the answer. Its `said` returns that address again.
pub fn added<'a>(live: impl Iterator<Item = (&'a State, u32)> + Clone, own: Own) -> Result<Module, NotRewindable> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 4], []);
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
    types.ty().function([], [ValType::I32]);
    let (see, nothing, decide, after, select_peer, read_answer) = (0, 1, 2, 3, 4, 5);

    let mut imports = ImportSection::new();
    let memories: u32 = live.clone().map(|(module, _)| module.memories.iter().map(|_| 1).sum::<u32>()).sum();
    for memory in 0..memories {
        imports.import(COMPONENT, &memory.to_string(), EntityType::Function(see));
    }
    if own.has_answers {
        imports.import(COMPONENT, ANSWERS, EntityType::Function(see));
    }
    let own_decide = imports.len();
    imports.import(COMPONENT, DECIDE, EntityType::Function(decide));
    if own.has_after {
        imports.import(COMPONENT, AFTER, EntityType::Function(after));
    }
    let functions = imports.len();
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
    if own.has_answers {
        imports.import(COMPONENT, ANSWERS_MEMORY, ANY_MEMORY);
    }
    let globals = kept.len();
    let answer = globals.saturating_mul(2);
    kept.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(NOWHERE));

    let mut start = Function::new([]);
    // The first byte and the last one, each as address and length. With 4 GiB the address of the last one still fits.
    for memory in 0..memories.saturating_add(own.has_answers.into()) {
        let mut report = start.instructions();
        let has_any = |report: &mut InstructionSink<'_>| {
            report.memory_size(memory).i32_const(0).i32_ne();
        };
        report.i32_const(0);
        has_any(&mut report);
        report.memory_size(memory).i32_const(16).i32_shl();
        has_any(&mut report);
        report.i32_sub();
        has_any(&mut report);
        report.call(memory);
    }
    let (mut deciding, mut telling) = (Function::new([]), Function::new([]));
    deciding.instructions().local_get(1).if_(BlockType::Empty);
    for global in 0..globals {
        let kept = globals.saturating_add(global);
        start.instructions().global_get(global).global_set(kept);
        deciding.instructions().global_get(kept).global_set(global);
    }
    if own.has_after {
        deciding.instructions().else_().global_get(answer).i32_const(NOWHERE).i32_ne().if_(BlockType::Empty);
        deciding.instructions().global_get(answer).call(own_decide.saturating_add(1)).end();
    }
    deciding.instructions().end().local_get(0).call(own_decide).global_set(answer).global_get(answer);
    telling.instructions().global_get(answer);

    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for (ty, mut function) in [(nothing, start), (select_peer, deciding), (read_answer, telling)] {
        function.instructions().end();
        declared.function(ty);
        code.function(&function);
    }
    let mut exports = ExportSection::new();
    exports.export(SELECT_PEER, ExportKind::Func, functions.saturating_add(1));
    exports.export(READ_ANSWER, ExportKind::Func, functions.saturating_add(2));

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&declared).section(&kept).section(&exports);
    module.section(&StartSection { function_index: functions }).section(&code);
    Ok(module)
}

/// No address of an answer: those are aligned.
const NOWHERE: i32 = -1;

const ANY_MEMORY: MemoryType =
    MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };

fn zero(ty: ValType) -> Result<ConstExpr, NotRewindable> {
    Ok(match ty {
        ValType::I32 => ConstExpr::i32_const(0),
        ValType::I64 => ConstExpr::i64_const(0),
        ValType::F32 => ConstExpr::f32_const(0.0.into()),
        ValType::F64 => ConstExpr::f64_const(0.0.into()),
        ValType::V128 => ConstExpr::v128_const(0),
        ValType::Ref(_) => return Err(UNKNOWN),
    })
}
