//! `wasi:io/poll`: everything is ready at once. Time does not pass while a decision runs, so waiting would never end; a
//! module's sleep takes no time.

use wasmtime::component::{LinkerInstance, Resource};

use crate::state::State;
use crate::wasi::resources::Pollable;

/// Waiting for nothing would never end, so WASI requires a trap.
#[derive(Debug, thiserror::Error)]
#[error("`wasi:io/poll#poll` of nothing")]
struct Nothing;

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "poll" => linked.func_wrap(function, |mut store, (polled,): (Vec<Resource<Pollable>>,)| {
            store.data_mut().count_call()?;
            if polled.is_empty() {
                return Err(Nothing.into());
            }
            Ok(((0..).zip(&polled).map(|(at, _)| at).collect::<Vec<u32>>(),))
        })?,
        "[method]pollable.ready" => linked.func_wrap(function, |mut store, (_,): (Resource<Pollable>,)| {
            store.data_mut().count_call()?;
            Ok((true,))
        })?,
        "[method]pollable.block" => {
            linked.func_wrap(function, |mut store, (_,): (Resource<Pollable>,)| store.data_mut().count_call())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
