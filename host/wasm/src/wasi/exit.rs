//! `wasi:cli/exit`: a module that ends itself gave no answer.

use wasmtime::component::LinkerInstance;

use crate::state::State;

/// The trap that ends a decision whose module exits.
#[derive(Debug, thiserror::Error)]
#[error("the module exited, with status {status}")]
pub struct ExitStatus {
    pub status: u8,
}

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "exit" => linked.func_wrap(function, |_, (status,): (Result<(), ()>,)| exit(u8::from(status.is_err())))?,
        "exit-with-code" => linked.func_wrap(function, |_, (status,): (u8,)| exit(status))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn exit(status: u8) -> wasmtime::Result<()> {
    Err(ExitStatus { status }.into())
}
