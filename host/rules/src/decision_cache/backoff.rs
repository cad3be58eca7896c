//! Backs off from lookups while the hit rate is low, since a lookup that misses costs each decision a little. Each
//! backoff is longer than the last, up to a bound; after it, lookups are tried again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Misses after which the hit rate is judged.
const WINDOW: u64 = 1024;

/// Least hits per window: one in 32 lookups. A lookup costs less than a thirtieth of a fresh decision.
const LEAST_HITS: u64 = WINDOW / 32;

/// Shortest and longest backoff, in decisions without a lookup.
const SHORTEST: u64 = 4 * WINDOW;
const LONGEST: u64 = 256 * WINDOW;

/// Decides which lookups are skipped.
#[derive(Debug, Default)]
pub struct Backoff {
    misses: AtomicU64,
    /// Hits when the window began.
    hits: AtomicU64,
    /// Decisions left in this backoff.
    left: AtomicU64,
    /// The length of the last backoff, in decisions.
    length: AtomicU64,
}

impl Backoff {
    /// Whether this decision skips its lookup. A skipped lookup counts towards the end of the backoff.
    pub fn skips(&self) -> bool {
        self.is_on() && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub fn is_on(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Notes a miss. `hits`: all hits since the start. Two concurrent misses may count as one.
    pub fn note_miss(&self, hits: u64) {
        let misses = self.misses.fetch_add(1, Ordering::Relaxed) + 1;
        if misses < WINDOW {
            return;
        }
        self.misses.store(0, Ordering::Relaxed);
        let since = hits.saturating_sub(self.hits.swap(hits, Ordering::Relaxed));
        let length =
            if since >= LEAST_HITS { 0 } else { (2 * self.length.load(Ordering::Relaxed)).clamp(SHORTEST, LONGEST) };
        self.length.store(length, Ordering::Relaxed);
        self.left.store(length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped_after(backoff: &Backoff, hits: u64) -> u64 {
        for _ in 0..WINDOW {
            backoff.note_miss(hits);
        }
        let mut skipped = 0;
        while backoff.skips() {
            skipped += 1;
        }
        skipped
    }

    #[test]
    fn backoff_is_longer_each_time_and_none_once_lookups_hit() {
        let backoff = Backoff::default();
        assert_eq!(skipped_after(&backoff, LEAST_HITS), 0);
        assert_eq!(skipped_after(&backoff, LEAST_HITS), SHORTEST);
        assert_eq!(skipped_after(&backoff, 2 * LEAST_HITS - 1), 2 * SHORTEST);
        for _ in 0..10 {
            skipped_after(&backoff, 2 * LEAST_HITS);
        }
        assert_eq!(skipped_after(&backoff, 2 * LEAST_HITS), LONGEST);
        assert_eq!(skipped_after(&backoff, 3 * LEAST_HITS), 0);
        assert_eq!(skipped_after(&backoff, 3 * LEAST_HITS), SHORTEST);
    }
}
