//! Looking for answers that are never there costs each decision a little. Where it does not pay, it is not looked for a
//! while: longer each time, and not at all only until it is tried again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Misses after which it is judged.
const WINDOW: u64 = 1024;

/// Hits that must have come with so many misses: one in 32. A look costs less than a thirtieth of a fresh decision.
const LEAST_HITS: u64 = WINDOW / 32;

/// Decisions without a look, the first time and at most.
const SHORTEST_REST: u64 = 4 * WINDOW;
const LONGEST_REST: u64 = 256 * WINDOW;

/// When it is looked.
#[derive(Debug, Default)]
pub struct Pace {
    misses: AtomicU64,
    /// Hits when the window began.
    hits: AtomicU64,
    /// Decisions left to be made without a look.
    rest: AtomicU64,
    /// The last rest.
    length: AtomicU64,
}

impl Pace {
    /// Whether this decision is made without a look: it counts towards the end of the rest.
    pub fn rests(&self) -> bool {
        self.rests_now()
            && self.rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub fn rests_now(&self) -> bool {
        self.rest.load(Ordering::Relaxed) > 0
    }

    /// It was looked in vain. `hits`: how often it was not, since the start. Two at once may count as one.
    pub fn missed(&self, hits: u64) {
        let misses = self.misses.fetch_add(1, Ordering::Relaxed) + 1;
        if misses < WINDOW {
            return;
        }
        self.misses.store(0, Ordering::Relaxed);
        let since = hits.saturating_sub(self.hits.swap(hits, Ordering::Relaxed));
        let length = if since >= LEAST_HITS {
            0
        } else {
            (2 * self.length.load(Ordering::Relaxed)).clamp(SHORTEST_REST, LONGEST_REST)
        };
        self.length.store(length, Ordering::Relaxed);
        self.rest.store(length, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest_after(pace: &Pace, hits: u64) -> u64 {
        for _ in 0..WINDOW {
            pace.missed(hits);
        }
        let mut rest = 0;
        while pace.rests() {
            rest += 1;
        }
        rest
    }

    #[test]
    fn it_rests_longer_each_time_and_not_at_all_once_it_pays() {
        let pace = Pace::default();
        assert_eq!(rest_after(&pace, LEAST_HITS), 0);
        assert_eq!(rest_after(&pace, LEAST_HITS), SHORTEST_REST);
        assert_eq!(rest_after(&pace, 2 * LEAST_HITS - 1), 2 * SHORTEST_REST);
        for _ in 0..10 {
            rest_after(&pace, 2 * LEAST_HITS);
        }
        assert_eq!(rest_after(&pace, 2 * LEAST_HITS), LONGEST_REST);
        assert_eq!(rest_after(&pace, 3 * LEAST_HITS), 0);
        assert_eq!(rest_after(&pace, 3 * LEAST_HITS), SHORTEST_REST);
    }
}
