//! The inputs of a decision.

use std::sync::{Arc, LazyLock};

use crate::contract;
use crate::request::{OfflineError, RequestHead, WrittenRequest, attempts};

/// The request that a decision is about, and its failed attempts: fixed before the decision's first step, so that a
/// later step reads the same values. Stores are not part of it, nor are the clock and random numbers unless a test
/// fixes them; reads of those carry their values.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub head: Arc<RequestHead>,
    /// The attempts of this request that failed, oldest first.
    pub attempts: Arc<[contract::Attempt]>,
    /// The time and random numbers of a test. None: the machine's.
    pub moment: Option<Arc<FixedMoment>>,
}

/// A time and random numbers that are given, in place of the machine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixedMoment {
    /// Milliseconds since 1970. None: the machine's clock.
    pub now_ms: Option<u64>,
    /// The results of `random.get-u64`, which repeat after the last. Empty: the machine's.
    pub random: Vec<u64>,
}

impl FixedMoment {
    /// The result of call number `call` of `random.get-u64`, from 0.
    pub fn random_number(&self, call: usize) -> Option<u64> {
        self.random.get(call.checked_rem(self.random.len())?).copied()
    }

    /// The seed of all other random values of a decision: the first number, in little-endian order, and zeros.
    pub fn seed(&self) -> Option<[u8; 32]> {
        let mut seed = [0; 32];
        let bytes = self.random.first()?.to_le_bytes();
        seed.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        Some(seed)
    }
}

/// The failed attempts of nearly every decision.
static NONE_FAILED: LazyLock<Arc<[contract::Attempt]>> = LazyLock::new(|| Arc::new([]));

impl Inputs {
    /// The inputs of a request's first decision.
    pub fn first(head: Arc<RequestHead>) -> Inputs {
        Inputs { head, attempts: NONE_FAILED.clone(), moment: None }
    }

    /// The inputs of a decision after these attempts failed.
    pub fn after(head: Arc<RequestHead>, failed: &[contract::Attempt]) -> Inputs {
        match failed {
            [] => Inputs::first(head),
            failed => Inputs { head, attempts: failed.into(), moment: None },
        }
    }

    /// The same inputs with a given time and random numbers.
    pub fn at(self, moment: FixedMoment) -> Inputs {
        Inputs { moment: Some(Arc::new(moment)), ..self }
    }

    /// Whether no attempt has failed yet.
    pub fn are_first(&self) -> bool {
        self.attempts.is_empty()
    }
}

impl TryFrom<&WrittenRequest> for Inputs {
    type Error = OfflineError;

    fn try_from(request: &WrittenRequest) -> Result<Inputs, OfflineError> {
        Ok(Inputs::after(Arc::new(request.head()?), &attempts(&request.failed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_random_numbers_repeat_and_the_first_is_the_seed() {
        let moment = FixedMoment { now_ms: None, random: vec![3, 258] };
        let numbers: Vec<_> = (0..5).map(|call| moment.random_number(call)).collect();
        assert_eq!(numbers, [Some(3), Some(258), Some(3), Some(258), Some(3)]);
        assert_eq!(moment.seed().map(|seed| (seed[0], seed[1])), Some((3, 0)));
        assert_eq!((FixedMoment::default().random_number(0), FixedMoment::default().seed()), (None, None));
    }
}
