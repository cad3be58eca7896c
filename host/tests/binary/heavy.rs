//! Modules that take a long time to build.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{CodeSection, Function, FunctionSection, Module, RawSection};
use wasmparser::{Parser, Payload};

use crate::running::example;

/// The module `fixed` with `functions` more functions that nobody calls. Each takes about ten milliseconds to compile.
pub fn heavy(functions: u32) -> Vec<u8> {
    let bytes = std::fs::read(example("fixed")).expect("a module");
    let mut module = Module::new();
    let (mut code, mut entries) = (CodeSection::new(), 0);
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("a part of it") {
            Payload::FunctionSection(section) => {
                let mut all = FunctionSection::new();
                for ty in section {
                    all.function(ty.expect("a type"));
                }
                for _ in 0..functions {
                    all.function(0);
                }
                module.section(&all);
            }
            Payload::CodeSectionStart { count, .. } => entries = count,
            Payload::CodeSectionEntry(body) => {
                RoundtripReencoder.parse_function_body(&mut code, body).expect("a function");
                entries -= 1;
                if entries == 0 {
                    for _ in 0..functions {
                        code.function(&function());
                    }
                    module.section(&code);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    module.section(&RawSection { id, data: &bytes[range] });
                }
            }
        }
    }
    module.finish()
}

/// Fits any type, since it never returns.
fn function() -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    for number in 0..1_000_i32 {
        let to = wasm_encoder::MemArg { offset: 0, align: 3, memory_index: 0 };
        code.i32_const(8 * number).i32_const(8 * (number ^ 7)).i64_load(to).i64_const(i64::from(number) * 31).i64_mul();
        code.i64_store(to);
    }
    code.unreachable().end();
    function
}
