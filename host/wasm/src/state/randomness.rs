//! The random numbers of a decision.

use pointsman_rules::reads::Read;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::state::State;

/// The generator of a decision, once the module asked for it.
#[derive(Default)]
pub struct Randomness(Option<Box<StdRng>>);

impl State {
    /// Counts a call, and returns the generator. Its seed is the one read that is noted.
    pub fn random_generator(&mut self) -> wasmtime::Result<&mut StdRng> {
        self.count_call()?;
        if self.wasi_random.0.is_none() {
            let seed: [u8; 32] = rand::random();
            self.reads.note(Read::RandomSeed(seed));
            self.wasi_random.0 = Some(Box::new(StdRng::from_seed(seed)));
        }
        self.wasi_random.0.as_deref_mut().ok_or_else(|| wasmtime::Error::msg("no generator"))
    }
}
