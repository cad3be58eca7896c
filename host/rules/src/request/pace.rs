//! Limits how slow a client may be: weighs the time that it kept the proxy waiting against the bytes that it moved.

use std::time::{Duration, Instant};

/// A least rate with a grace period, as a bucket of time: waiting for the client takes time out, and bytes that move
/// put back the time that they may take at the least rate. The bucket is bounded, so a client that was fast for long is
/// dropped as soon as any other once it stops.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Size of the bucket.
    grace: Duration,
    /// Least rate, in bytes per second; 0: any rate is accepted.
    rate: u64,
    left: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    pub fn new(grace: Duration, rate: u64) -> Pace {
        Pace { grace, rate, left: grace, waiting_since: None }
    }

    /// Notes that the proxy waits for the client from now on, unless it waits already. Returns the time at which the
    /// client is too slow if nothing moves until then; None: never.
    pub fn wait(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.waiting_since.get_or_insert(now);
        if self.rate == 0 {
            return None;
        }
        since.checked_add(self.left)
    }

    /// Notes that bytes moved.
    pub fn moved(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(now().saturating_duration_since(since));
        }
        if self.left < self.grace {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            let earned = bytes.saturating_mul(1000).checked_div(self.rate).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(Duration::from_millis(earned)).min(self.grace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn received_bytes_extend_the_deadline() {
        let start = Instant::now();
        let mut pace = Pace::new(20 * SECOND, 500);
        assert_eq!(pace.wait(start), Some(start + 20 * SECOND));
        assert_eq!(pace.wait(start + SECOND), Some(start + 20 * SECOND), "it waits already");
        pace.moved(1000, || start + 5 * SECOND);
        // 5 of 22 seconds are used up.
        assert_eq!(pace.wait(start + 60 * SECOND), Some(start + 77 * SECOND));
        pace.moved(1_000_000, || start + 61 * SECOND);
        assert_eq!(pace.wait(start + 61 * SECOND), Some(start + 81 * SECOND), "no more than the grace period");
    }

    #[test]
    fn a_byte_a_second_is_too_slow_in_the_end() {
        let start = Instant::now();
        let mut pace = Pace::new(20 * SECOND, 500);
        for second in 0..20 {
            assert!(pace.wait(start + second * SECOND).is_some_and(|due| due > start + second * SECOND + SECOND / 2));
            pace.moved(1, || start + (second + 1) * SECOND);
        }
        assert!(pace.wait(start + 20 * SECOND).is_some_and(|due| due < start + 21 * SECOND));
    }

    #[test]
    fn without_a_rate_nobody_is_too_slow() {
        assert_eq!(Pace::new(SECOND, 0).wait(Instant::now()), None);
    }
}
