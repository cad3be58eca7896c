//! The random numbers of a decision: the machine's, or those that a test gives.

use pointsman_rules::reads::Read;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::state::State;

#[derive(Default)]
pub struct Randomness {
    /// The generator of WASI's random bytes, once the module asked for it.
    generator: Option<Box<StdRng>>,
    /// Numbers that `random.get-u64` has returned.
    numbers: usize,
}

impl State {
    /// The next result of `random.get-u64`.
    pub fn random_number(&mut self) -> wasmtime::Result<u64> {
        let call = self.randomness.numbers;
        let given = self.inputs.moment.as_ref().and_then(|moment| moment.random_number(call));
        let number = given.unwrap_or_else(rand::random);
        self.note(Read::Random(number))?;
        self.randomness.numbers = call.saturating_add(1);
        Ok(number)
    }

    /// Counts a call, and returns the generator. Its seed is the one read that is noted.
    pub fn random_generator(&mut self) -> wasmtime::Result<&mut StdRng> {
        self.count_call()?;
        if self.randomness.generator.is_none() {
            let given = self.inputs.moment.as_ref().and_then(|moment| moment.seed());
            let seed = given.unwrap_or_else(rand::random);
            self.reads.note(Read::RandomSeed(seed));
            self.randomness.generator = Some(Box::new(StdRng::from_seed(seed)));
        }
        self.randomness.generator.as_deref_mut().ok_or_else(|| wasmtime::Error::msg("no generator"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use pointsman_rules::config::Limits;
    use pointsman_rules::inputs::{FixedMoment, Inputs};
    use pointsman_rules::request::WrittenRequest;
    use pointsman_rules::settings::ModuleSettings;
    use rand::Rng as _;
    use serde_json::Value;

    use super::*;
    use crate::state::Call;

    fn state(moment: FixedMoment) -> State {
        let inputs = Inputs::try_from(&WrittenRequest::get("http://a.test/")).unwrap().at(moment);
        let call = Call { inputs: &inputs, stores: None, limits: &Limits::default() };
        State::new(Arc::new(ModuleSettings::new(Value::Null)), call, Instant::now())
    }

    #[test]
    fn given_time_and_numbers_are_read_and_noted() {
        let mut state = state(FixedMoment { now_ms: Some(5), random: vec![7, 8] });
        let numbers = [(); 3].map(|()| state.random_number().unwrap());
        assert_eq!((state.read_clock().unwrap(), numbers), (5, [7, 8, 7]));
        assert_eq!(state.reads.list(), [Read::Random(7), Read::Random(8), Read::Now(5)]);
    }

    #[test]
    fn all_random_values_follow_from_the_first_given_number() {
        let value = |first| {
            let moment = FixedMoment { now_ms: None, random: vec![first] };
            state(moment).random_generator().unwrap().next_u64()
        };
        assert_eq!(value(7), value(7));
        assert_ne!(value(7), value(8));
    }

    #[test]
    fn nothing_given_is_the_machines() {
        let mut state = state(FixedMoment::default());
        assert_ne!(state.random_number().unwrap(), state.random_number().unwrap());
        assert!(state.read_clock().unwrap() > 1_600_000_000_000);
    }
}
