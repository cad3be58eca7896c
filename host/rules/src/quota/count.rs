//! Counts live things, such as requests in flight, and bounds their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of [`CountGuard`] values that are alive.
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

/// Keeps its [`Count`] one higher until it is dropped.
#[derive(Debug)]
pub struct CountGuard {
    count: Count,
    before: usize,
}

impl Count {
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more if there are fewer than `most`.
    pub fn enter(&self, most: usize) -> Option<CountGuard> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let counted = CountGuard { count: self.clone(), before };
        (before < most).then_some(counted)
    }

    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CountGuard {
    /// The count when this one entered, without it.
    pub fn before(&self) -> usize {
        self.before
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.count.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_follows_the_live_guards() {
        let count = Count::default();
        let (one, two) = (count.enter(2), count.enter(2));
        assert!(one.is_some() && two.is_some() && count.enter(2).is_none());
        assert_eq!(count.now(), 2);
        drop(one);
        assert!(count.enter(2).is_some());
        assert_eq!(count.now(), 1);
    }

    #[test]
    fn order_of_entry_is_known() {
        let count = Count::default();
        let all: Vec<CountGuard> = (0..4).filter_map(|_| count.enter(usize::MAX)).collect();
        assert_eq!(all.iter().map(CountGuard::before).collect::<Vec<_>>(), [0, 1, 2, 3]);
        drop(all);
        assert!(count.enter(1).is_some_and(|only| only.before() == 0));
    }
}
