//! `wasi:clocks`: both clocks show the moment of the decision's first read, as the WIT interface `clock` does, and do
//! not advance. The monotonic one counts from 1970 too, so that one recorded value covers both.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};

use crate::state::State;
use crate::wasi::resources::Pollable;

const NANOS_PER_MS: u64 = 1_000_000;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl Datetime {
    fn of_ms(ms: u64) -> Datetime {
        let nanoseconds = (ms % 1_000).saturating_mul(NANOS_PER_MS);
        Datetime { seconds: ms / 1_000, nanoseconds: u32::try_from(nanoseconds).unwrap_or_default() }
    }
}

pub fn add_monotonic(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "now" => linked.func_wrap(function, |mut store, (): ()| {
            Ok((store.data_mut().read_clock()?.saturating_mul(NANOS_PER_MS),))
        })?,
        "resolution" => linked.func_wrap(function, |mut store, (): ()| {
            store.data_mut().count_call()?;
            Ok((NANOS_PER_MS,))
        })?,
        "subscribe-instant" | "subscribe-duration" => {
            linked.func_wrap(function, |mut store, (_,): (u64,)| store.data_mut().hand_out::<Pollable>(0))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

pub fn add_wall(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "now" => {
            linked.func_wrap(function, |mut store, (): ()| Ok((Datetime::of_ms(store.data_mut().read_clock()?),)))?;
        }
        "resolution" => linked.func_wrap(function, |mut store, (): ()| {
            store.data_mut().count_call()?;
            Ok((Datetime::of_ms(1),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}
