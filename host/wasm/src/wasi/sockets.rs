//! `wasi:sockets/instance-network`: a network on which every function is denied. Runtimes ask for it first and expect
//! no failure there.

use wasmtime::component::LinkerInstance;

use crate::state::State;
use crate::wasi::resources::Network;

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "instance-network" => {
            linked.func_wrap(function, |mut store, (): ()| store.data_mut().hand_out::<Network>(0))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
