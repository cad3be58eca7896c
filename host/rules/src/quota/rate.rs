//! A rate limit in units per second, with a reserve for bursts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A rate that may be overdrawn, since the cost of an operation is known only when it is done: after an overdraft, the
/// caller waits until it is paid off.
#[derive(Debug)]
pub struct Rate {
    start: Instant,
    per_second: u64,
    /// Burst that is available after idle time: the units that accrue in this time, in nanoseconds.
    reserve: u64,
    /// Time at which everything spent is paid off, in nanoseconds from the start (generic cell rate algorithm).
    paid_at: AtomicU64,
}

const SECOND: u64 = 1_000_000_000;

impl Rate {
    pub fn per_second(per_second: u64, reserve: Duration, start: Instant) -> Rate {
        let reserve = u64::try_from(reserve.as_nanos()).unwrap_or(u64::MAX);
        Rate { start, per_second, reserve, paid_at: AtomicU64::new(0) }
    }

    /// Whether nothing more may be spent for now.
    pub fn is_over(&self, now: Instant) -> bool {
        self.per_second == 0 || self.paid_at.load(Ordering::Relaxed) > self.at(now)
    }

    pub fn spend(&self, units: u64, now: Instant) {
        let cost = u128::from(units) * u128::from(SECOND) / u128::from(self.per_second.max(1));
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let least = self.at(now).saturating_sub(self.reserve);
        let later = |paid: u64| Some(paid.max(least).saturating_add(cost));
        // Never fails: the closure always has a value.
        let _ = self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    fn at(&self, now: Instant) -> u64 {
        // The reserve is available from the start.
        let since = now.saturating_duration_since(self.start).saturating_add(Duration::from_nanos(self.reserve));
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn burst_of_one_second_is_allowed_before_the_rate_applies() {
        let start = Instant::now();
        let rate = Rate::per_second(100, A_SECOND, start);
        rate.spend(100, start);
        assert!(!rate.is_over(start));
        rate.spend(50, start);
        assert!(rate.is_over(start + Duration::from_millis(499)));
        assert!(!rate.is_over(start + Duration::from_millis(500)));
    }

    #[test]
    fn idle_time_refills_at_most_one_second() {
        let start = Instant::now();
        let rate = Rate::per_second(100, A_SECOND, start);
        let later = start + Duration::from_secs(3600);
        rate.spend(101, later);
        assert!(rate.is_over(later));
        assert!(!rate.is_over(later + Duration::from_millis(10)));
    }

    #[test]
    fn burst_may_be_small() {
        let start = Instant::now();
        let rate = Rate::per_second(1_000, Duration::from_millis(10), start);
        rate.spend(10, start);
        assert!(!rate.is_over(start));
        rate.spend(1, start);
        assert!(rate.is_over(start) && !rate.is_over(start + Duration::from_millis(1)));
    }

    #[test]
    fn large_debt_is_paid_off_over_time() {
        let start = Instant::now();
        let rate = Rate::per_second(1_000, A_SECOND, start);
        rate.spend(11_000, start);
        assert!(rate.is_over(start + Duration::from_millis(9_999)));
        assert!(!rate.is_over(start + Duration::from_secs(10)));
    }

    #[test]
    fn rate_of_zero_admits_nothing() {
        let start = Instant::now();
        assert!(Rate::per_second(0, A_SECOND, start).is_over(start + Duration::from_secs(10)));
    }
}
