//! Counts live things, such as requests in flight, and bounds their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of [`Counted`] values that are alive.
#[derive(Debug, Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

/// Keeps its [`Count`] one higher until it is dropped.
#[derive(Debug)]
pub struct Counted(Count);

impl Count {
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more if there are fewer than `most`.
    pub fn enter(&self, most: usize) -> Option<Counted> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(self.clone());
        (before < most).then_some(counted)
    }

    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.remove();
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
}
