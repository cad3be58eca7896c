//! Whether a tenant's modules are asked at all. After many failures in a row they are left alone for a while; then a
//! few decisions are tried, one at a time, and when these succeed all are asked for again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::config::BreakerConfig;

#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    /// Failures in a row while it is closed; `OPEN` while it is not.
    failures: AtomicU32,
    tripped: Mutex<Tripped>,
}

/// Above any number of failures that opens it.
const OPEN: u32 = u32::MAX;

/// What matters only while it is not closed.
#[derive(Debug, Default)]
struct Tripped {
    /// None: closed.
    until: Option<Instant>,
    probing: bool,
    succeeded: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    /// Decisions are tried, one at a time.
    HalfOpen,
    Open,
}

/// Leave to ask; what came of it is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Ordinary,
    Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
}

/// What the operator should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub fn new(config: BreakerConfig) -> Breaker {
        Breaker { config, failures: AtomicU32::new(0), tripped: Mutex::default() }
    }

    /// None: the modules are not to be asked now.
    pub fn admit(&self, now: Instant) -> Option<Admission> {
        if self.failures.load(Ordering::Relaxed) != OPEN {
            return Some(Admission::Ordinary);
        }
        let mut tripped = self.tripped.lock();
        match tripped.until {
            None => Some(Admission::Ordinary),
            Some(until) if now < until || tripped.probing => None,
            Some(_) => {
                tripped.probing = true;
                Some(Admission::Probe)
            }
        }
    }

    pub fn note(&self, admission: Admission, outcome: Outcome, now: Instant) -> Option<Change> {
        match (admission, outcome) {
            (Admission::Ordinary, Outcome::Success) => {
                let before = self.failures.load(Ordering::Relaxed);
                if before != 0 && before != OPEN {
                    // If it opens at this very moment, it stays open.
                    let _ = self.failures.compare_exchange(before, 0, Ordering::Relaxed, Ordering::Relaxed);
                }
                None
            }
            (Admission::Ordinary, Outcome::Failure) => self.count_failure(now),
            (Admission::Probe, Outcome::Success) => {
                let mut tripped = self.tripped.lock();
                tripped.probing = false;
                tripped.succeeded = tripped.succeeded.saturating_add(1);
                if tripped.succeeded < self.config.probes {
                    return None;
                }
                *tripped = Tripped::default();
                self.failures.store(0, Ordering::Relaxed);
                Some(Change::Closed)
            }
            (Admission::Probe, Outcome::Failure) => {
                *self.tripped.lock() = self.open_from(now);
                None
            }
        }
    }

    pub fn state(&self, now: Instant) -> State {
        match self.tripped.lock().until {
            None => State::Closed,
            Some(until) if now < until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    fn count_failure(&self, now: Instant) -> Option<Change> {
        if self.config.failures == 0 {
            return None;
        }
        let more = |failures| match failures {
            OPEN => None,
            failures if failures + 1 >= self.config.failures => Some(OPEN),
            failures => Some(failures + 1),
        };
        let mut tripped = self.tripped.lock();
        self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        if self.failures.load(Ordering::Relaxed) != OPEN {
            return None;
        }
        *tripped = self.open_from(now);
        Some(Change::Opened)
    }

    fn open_from(&self, now: Instant) -> Tripped {
        // An end that no clock can tell is no end.
        let until = now.checked_add(self.config.open).unwrap_or(now);
        Tripped { until: Some(until), probing: false, succeeded: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(5);

    fn breaker(failures: u32) -> (Breaker, Instant) {
        (Breaker::new(BreakerConfig { failures, open: OPEN_FOR, probes: 2 }), Instant::now())
    }

    fn fail(breaker: &Breaker, now: Instant) -> Option<Change> {
        let admission = breaker.admit(now).expect("leave to ask");
        breaker.note(admission, Outcome::Failure, now)
    }

    fn succeed(breaker: &Breaker, now: Instant) -> Option<Change> {
        let admission = breaker.admit(now).expect("leave to ask");
        breaker.note(admission, Outcome::Success, now)
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let (breaker, now) = breaker(3);
        assert_eq!([fail(&breaker, now), fail(&breaker, now)], [None, None]);
        assert_eq!(succeed(&breaker, now), None);
        assert_eq!([fail(&breaker, now), fail(&breaker, now)], [None, None]);
        assert_eq!(breaker.state(now), State::Closed);
        assert_eq!(fail(&breaker, now), Some(Change::Opened));
        assert_eq!((breaker.state(now), breaker.admit(now)), (State::Open, None));
    }

    #[test]
    fn it_is_probed_one_at_a_time_and_closes() {
        let (breaker, start) = breaker(1);
        assert_eq!(fail(&breaker, start), Some(Change::Opened));
        assert_eq!(breaker.admit(start + OPEN_FOR - Duration::from_nanos(1)), None);
        let now = start + OPEN_FOR;
        assert_eq!(breaker.state(now), State::HalfOpen);
        assert_eq!(breaker.admit(now), Some(Admission::Probe));
        assert_eq!(breaker.admit(now), None, "one at a time");
        assert_eq!(breaker.note(Admission::Probe, Outcome::Success, now), None);
        assert_eq!(succeed(&breaker, now), Some(Change::Closed));
        assert_eq!((breaker.state(now), breaker.admit(now)), (State::Closed, Some(Admission::Ordinary)));
        assert_eq!(fail(&breaker, now), Some(Change::Opened), "it counts from the start");
    }

    #[test]
    fn probe_that_fails_opens_it_again() {
        let (breaker, start) = breaker(1);
        fail(&breaker, start);
        let now = start + OPEN_FOR;
        assert_eq!(succeed(&breaker, now), None);
        assert_eq!(fail(&breaker, now), None);
        assert_eq!(breaker.admit(now), None);
        let now = now + OPEN_FOR;
        assert_eq!([succeed(&breaker, now), succeed(&breaker, now)], [None, Some(Change::Closed)]);
    }

    #[test]
    fn what_was_admitted_before_it_opened_changes_nothing() {
        let (breaker, now) = breaker(2);
        let late = breaker.admit(now).expect("leave to ask");
        fail(&breaker, now);
        fail(&breaker, now);
        assert_eq!(breaker.note(late, Outcome::Failure, now + Duration::from_secs(1)), None);
        assert_eq!(breaker.note(late, Outcome::Success, now + Duration::from_secs(1)), None);
        assert_eq!(breaker.state(now + OPEN_FOR - Duration::from_nanos(1)), State::Open);
    }

    #[test]
    fn without_a_number_of_failures_it_never_opens() {
        let (breaker, now) = breaker(0);
        for _ in 0..1_000 {
            assert_eq!(fail(&breaker, now), None);
        }
        assert_eq!(breaker.state(now), State::Closed);
    }
}
