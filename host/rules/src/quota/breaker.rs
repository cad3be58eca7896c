//! Circuit breaker for a tenant's modules. After many consecutive failures it opens, and no module is called for a
//! while; then it lets a few probes through, one at a time, and closes when they succeed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::config::BreakerConfig;

#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    /// Consecutive failures while the breaker is closed; `OPEN` while it is not.
    failures: AtomicU32,
    tripped: Mutex<Recovery>,
}

/// Greater than any number of failures that opens the breaker.
const OPEN: u32 = u32::MAX;

/// State that matters only while the breaker is not closed.
#[derive(Debug, Default)]
struct Recovery {
    /// End of the open state. None: closed.
    until: Option<Instant>,
    probing: bool,
    succeeded: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    /// Probes are let through, one at a time.
    HalfOpen,
    Open,
}

/// Permission to call the modules. The caller reports the outcome with [`Admission::note`]; a probe that is dropped
/// without one says nothing, and the next caller may probe.
#[derive(Debug)]
pub struct Admission<'a> {
    breaker: &'a Breaker,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Probe,
    /// The outcome is noted.
    Noted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
}

/// A change of state that the operator should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub fn new(config: BreakerConfig) -> Breaker {
        Breaker { config, failures: AtomicU32::new(0), tripped: Mutex::default() }
    }

    /// None: the modules must not be called now.
    pub fn admit(&self, now: Instant) -> Option<Admission<'_>> {
        self.kind(now).map(|kind| Admission { breaker: self, kind })
    }

    fn kind(&self, now: Instant) -> Option<Kind> {
        if self.failures.load(Ordering::Relaxed) != OPEN {
            return Some(Kind::Ordinary);
        }
        let mut tripped = self.tripped.lock();
        match tripped.until {
            None => Some(Kind::Ordinary),
            Some(until) if now < until || tripped.probing => None,
            Some(_) => {
                tripped.probing = true;
                Some(Kind::Probe)
            }
        }
    }

    fn note_success(&self) {
        let before = self.failures.load(Ordering::Relaxed);
        if before != 0 && before != OPEN {
            // If the breaker opens concurrently, it stays open.
            let _ = self.failures.compare_exchange(before, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn note_probe(&self) -> Option<Change> {
        let mut tripped = self.tripped.lock();
        tripped.probing = false;
        tripped.succeeded = tripped.succeeded.saturating_add(1);
        if tripped.succeeded < self.config.probes {
            return None;
        }
        *tripped = Recovery::default();
        self.failures.store(0, Ordering::Relaxed);
        Some(Change::Closed)
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

    fn open_from(&self, now: Instant) -> Recovery {
        // An end that the clock can't represent is replaced by `now`, so that the breaker does not stay open forever.
        let until = now.checked_add(self.config.open).unwrap_or(now);
        Recovery { until: Some(until), probing: false, succeeded: 0 }
    }
}

impl Admission<'_> {
    /// Whether it is a probe of a breaker that is half open.
    pub fn is_probe(&self) -> bool {
        self.kind == Kind::Probe
    }

    /// Reports the outcome of the calls.
    pub fn note(mut self, outcome: Outcome, now: Instant) -> Option<Change> {
        let breaker = self.breaker;
        match (std::mem::replace(&mut self.kind, Kind::Noted), outcome) {
            (Kind::Ordinary, Outcome::Success) => {
                breaker.note_success();
                None
            }
            (Kind::Ordinary, Outcome::Failure) => breaker.count_failure(now),
            (Kind::Probe, Outcome::Success) => breaker.note_probe(),
            (Kind::Probe, Outcome::Failure) => {
                *breaker.tripped.lock() = breaker.open_from(now);
                None
            }
            (Kind::Noted, _) => None,
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.kind == Kind::Probe {
            self.breaker.tripped.lock().probing = false;
        }
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
        breaker.admit(now).expect("it is admitted").note(Outcome::Failure, now)
    }

    fn succeed(breaker: &Breaker, now: Instant) -> Option<Change> {
        breaker.admit(now).expect("it is admitted").note(Outcome::Success, now)
    }

    #[test]
    fn consecutive_failures_open_the_breaker() {
        let (breaker, now) = breaker(3);
        assert_eq!([fail(&breaker, now), fail(&breaker, now)], [None, None]);
        assert_eq!(succeed(&breaker, now), None);
        assert_eq!([fail(&breaker, now), fail(&breaker, now)], [None, None]);
        assert_eq!(breaker.state(now), State::Closed);
        assert_eq!(fail(&breaker, now), Some(Change::Opened));
        assert_eq!((breaker.state(now), breaker.admit(now).is_none()), (State::Open, true));
    }

    #[test]
    fn breaker_is_probed_one_request_at_a_time_and_closes() {
        let (breaker, start) = breaker(1);
        assert_eq!(fail(&breaker, start), Some(Change::Opened));
        assert!(breaker.admit(start + OPEN_FOR - Duration::from_nanos(1)).is_none());
        let now = start + OPEN_FOR;
        assert_eq!(breaker.state(now), State::HalfOpen);
        let probe = breaker.admit(now).expect("it is admitted");
        assert!(probe.is_probe() && breaker.admit(now).is_none(), "one at a time");
        assert_eq!(probe.note(Outcome::Success, now), None);
        assert_eq!(succeed(&breaker, now), Some(Change::Closed));
        assert_eq!(breaker.state(now), State::Closed);
        assert!(breaker.admit(now).is_some_and(|admission| !admission.is_probe()));
        assert_eq!(fail(&breaker, now), Some(Change::Opened), "it counts from the start");
    }

    #[test]
    fn failed_probe_opens_the_breaker_again() {
        let (breaker, start) = breaker(1);
        fail(&breaker, start);
        let now = start + OPEN_FOR;
        assert_eq!(succeed(&breaker, now), None);
        assert_eq!(fail(&breaker, now), None);
        assert!(breaker.admit(now).is_none());
        let now = now + OPEN_FOR;
        assert_eq!([succeed(&breaker, now), succeed(&breaker, now)], [None, Some(Change::Closed)]);
    }

    /// The request that probed is gone: a client that disconnects must not block a tenant.
    #[test]
    fn dropped_probe_admits_the_next_one() {
        let (breaker, start) = breaker(1);
        fail(&breaker, start);
        let now = start + OPEN_FOR;
        drop(breaker.admit(now).expect("it is admitted"));
        assert!(breaker.admit(now).is_some_and(|admission| admission.is_probe()));
        assert_eq!(breaker.state(now), State::HalfOpen);
    }

    #[test]
    fn results_of_requests_admitted_before_the_breaker_opened_are_ignored() {
        let (breaker, now) = breaker(2);
        let late = [(); 2].map(|()| breaker.admit(now).expect("it is admitted"));
        fail(&breaker, now);
        fail(&breaker, now);
        for (late, outcome) in late.into_iter().zip([Outcome::Failure, Outcome::Success]) {
            assert_eq!(late.note(outcome, now + Duration::from_secs(1)), None);
        }
        assert_eq!(breaker.state(now + OPEN_FOR - Duration::from_nanos(1)), State::Open);
    }

    #[test]
    fn breaker_without_a_failure_threshold_never_opens() {
        let (breaker, now) = breaker(0);
        for _ in 0..1_000 {
            assert_eq!(fail(&breaker, now), None);
        }
        assert_eq!(breaker.state(now), State::Closed);
    }
}
