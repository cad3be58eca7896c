//! `wasi:random`: all of a decision's bytes follow from one seed of 256 bits that nobody can foresee. So one noted read
//! covers them all, however many a runtime takes to salt its hash tables.

use rand::Rng as _;
use wasmtime::component::LinkerInstance;

use crate::state::State;

/// Most bytes of one call. Runtimes take at most 2,500, for a generator of their own.
const MOST_BYTES: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("a call of `wasi:random` returns {MOST_BYTES} bytes at most, and {asked} were requested")]
struct TooMany {
    asked: u64,
}

impl State {
    fn random_bytes(&mut self, asked: u64) -> wasmtime::Result<Vec<u8>> {
        let generator = self.random_generator()?;
        let length = usize::try_from(asked).ok().filter(|_| asked <= MOST_BYTES).ok_or(TooMany { asked })?;
        let mut bytes = vec![0; length];
        generator.fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random_generator()?.next_u64())
    }
}

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            linked
                .func_wrap(function, |mut store, (length,): (u64,)| Ok((store.data_mut().random_bytes(length)?,)))?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            linked.func_wrap(function, |mut store, (): ()| Ok((store.data_mut().random_u64()?,)))?;
        }
        "insecure-seed" => linked.func_wrap(function, |mut store, (): ()| {
            let state = store.data_mut();
            Ok(((state.random_u64()?, state.random_u64()?),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}
