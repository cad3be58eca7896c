//! Observations of upstream addresses from attempts: load, latency, failures. Plain data that takes the time as an
//! argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::check::Target;

/// One tenant's figures by address.
#[derive(Debug)]
pub struct Upstreams {
    start: Instant,
    /// Most addresses that are kept. If a module makes up more, the table is cleared; attempts in flight keep their own
    /// figures.
    most: usize,
    by_target: Mutex<HashMap<Target, Arc<Figures>>>,
}

#[derive(Debug, Default)]
struct Figures {
    in_flight: AtomicU32,
    /// 0: no response yet.
    latency_us: AtomicU32,
    failures: AtomicU32,
    /// In milliseconds from the start.
    last_failure: AtomicU64,
}

/// The observations of an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observations {
    pub in_flight: u32,
    pub latency_us: Option<u32>,
    pub failures: u32,
}

/// An attempt, counted as in flight until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    figures: Arc<Figures>,
    start: Instant,
}

/// Time without a failure after which earlier failures no longer count.
const MEMORY: Duration = Duration::from_secs(30);

/// Weight of a new response in the moving average of the latency: one in `WEIGHT`.
const WEIGHT: u32 = 8;

impl Upstreams {
    pub fn new(most: usize, start: Instant) -> Upstreams {
        Upstreams { start, most, by_target: Mutex::default() }
    }

    /// Sets the observations of an address, as a test gives them.
    pub fn set(&self, target: Target, observations: Observations, now: Instant) {
        let figures = Figures {
            in_flight: AtomicU32::new(observations.in_flight),
            latency_us: AtomicU32::new(observations.latency_us.unwrap_or_default()),
            failures: AtomicU32::new(observations.failures),
            last_failure: AtomicU64::new(self.millis(now)),
        };
        self.by_target.lock().insert(target, Arc::new(figures));
    }

    /// Notes the begin of an attempt.
    pub fn begin(&self, target: &Target, now: Instant) -> InFlight {
        let mut by_target = self.by_target.lock();
        if by_target.len() >= self.most && !by_target.contains_key(target) {
            by_target.clear();
        }
        let figures = match by_target.get(target) {
            Some(figures) => figures.clone(),
            None => by_target.entry(target.clone()).or_default().clone(),
        };
        figures.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { figures, start: now }
    }

    pub fn known(&self, target: &Target, now: Instant) -> Observations {
        let figures = self.by_target.lock().get(target).cloned();
        figures.map(|figures| figures.known(self.millis(now))).unwrap_or_default()
    }

    pub fn failed(&self, attempt: &InFlight, now: Instant) {
        let (figures, now) = (&attempt.figures, self.millis(now));
        if figures.known(now).failures == 0 {
            figures.failures.store(0, Ordering::Relaxed);
        }
        figures.failures.fetch_add(1, Ordering::Relaxed);
        figures.last_failure.store(now, Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Figures {
    fn known(&self, now: u64) -> Observations {
        let age = now.saturating_sub(self.last_failure.load(Ordering::Relaxed));
        let is_recent = u128::from(age) <= MEMORY.as_millis();
        let latency = self.latency_us.load(Ordering::Relaxed);
        Observations {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            latency_us: (latency > 0).then_some(latency),
            failures: if is_recent { self.failures.load(Ordering::Relaxed) } else { 0 },
        }
    }
}

impl InFlight {
    /// Notes that the head of a response arrived.
    pub fn answered(&self, now: Instant) {
        let micros = u32::try_from(now.saturating_duration_since(self.start).as_micros()).unwrap_or(u32::MAX).max(1);
        let average = |before: u32| {
            Some(if before == 0 {
                micros
            } else {
                let (before, micros) = (u64::from(before), u64::from(micros));
                let weight = u64::from(WEIGHT);
                u32::try_from((before * (weight - 1) + micros).div_ceil(weight)).unwrap_or(u32::MAX)
            })
        };
        // Never fails: the closure always has a value.
        let _ = self.figures.latency_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, average);
        self.figures.failures.store(0, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.figures.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(port: u16) -> Target {
        Target::Socket(([192, 0, 2, 1], port).into())
    }

    #[test]
    fn attempt_is_in_flight_until_it_is_dropped() {
        let start = Instant::now();
        let upstreams = Upstreams::new(10, start);
        let (one, two) = (upstreams.begin(&target(80), start), upstreams.begin(&target(80), start));
        assert_eq!(upstreams.known(&target(80), start).in_flight, 2);
        drop((one, two));
        assert_eq!(upstreams.known(&target(80), start), Observations::default());
        assert_eq!(upstreams.known(&target(81), start), Observations::default());
    }

    #[test]
    fn observations_can_be_set() {
        let (start, given) = (Instant::now(), Observations { in_flight: 3, latency_us: Some(40), failures: 2 });
        let upstreams = Upstreams::new(10, start);
        upstreams.set(target(80), given, start);
        assert_eq!(upstreams.known(&target(80), start), given);
    }

    #[test]
    fn latency_is_an_average_that_follows() {
        let start = Instant::now();
        let upstreams = Upstreams::new(10, start);
        let latency = |micros: u64| {
            upstreams.begin(&target(80), start).answered(start + Duration::from_micros(micros));
            upstreams.known(&target(80), start).latency_us
        };
        assert_eq!([latency(800), latency(800), latency(1600)], [Some(800), Some(800), Some(900)]);
        for _ in 0..100 {
            latency(100);
        }
        assert!(latency(100).is_some_and(|latency| latency < 110));
    }

    #[test]
    fn consecutive_failures_are_counted_and_reset() {
        let start = Instant::now();
        let upstreams = Upstreams::new(10, start);
        let fail = |now| upstreams.failed(&upstreams.begin(&target(80), now), now);
        fail(start);
        fail(start);
        assert_eq!(upstreams.known(&target(80), start).failures, 2);
        let later = start + MEMORY + Duration::from_millis(1);
        assert_eq!(upstreams.known(&target(80), later).failures, 0);
        fail(later);
        assert_eq!(upstreams.known(&target(80), later).failures, 1, "a new row");
        upstreams.begin(&target(80), later).answered(later);
        assert_eq!(upstreams.known(&target(80), later).failures, 0);
    }

    #[test]
    fn table_is_bounded_and_attempts_survive_its_reset() {
        let start = Instant::now();
        let upstreams = Upstreams::new(2, start);
        let first = upstreams.begin(&target(1), start);
        let _second = upstreams.begin(&target(2), start);
        let _again = upstreams.begin(&target(1), start);
        assert_eq!(upstreams.known(&target(1), start).in_flight, 2);
        let _third = upstreams.begin(&target(3), start);
        assert_eq!(upstreams.known(&target(1), start).in_flight, 0, "the table was reset");
        drop(first);
        assert_eq!(upstreams.known(&target(1), start).in_flight, 0);
    }
}
