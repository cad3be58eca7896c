//! `wasi:cli/exit`: a module that ends itself gave no answer.

use wasmtime::component::LinkerInstance;

use crate::state::State;

/// The trap that ends a decision whose module exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExitStatus {
    #[error("status {0}")]
    Code(u8),
    /// `exit` reports no more than that; the adapter for older WASI calls it, whatever the code.
    #[error("a status other than 0")]
    Failure,
}

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "exit" => linked.func_wrap(function, |_, (status,): (Result<(), ()>,)| {
            exit(status.map_or(ExitStatus::Failure, |()| ExitStatus::Code(0)))
        })?,
        "exit-with-code" => linked.func_wrap(function, |_, (code,): (u8,)| exit(ExitStatus::Code(code)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn exit(status: ExitStatus) -> wasmtime::Result<()> {
    Err(status.into())
}
