//! A counting semaphore: callers beyond the limit wait. For threads that may wait, never for those that serve.

use parking_lot::{Condvar, Mutex};

#[derive(Debug)]
pub struct Permits {
    left: Mutex<usize>,
    returned: Condvar,
}

/// Returned when it is dropped.
#[derive(Debug)]
pub struct Permit<'a>(&'a Permits);

impl Permits {
    pub fn new(most: usize) -> Permits {
        Permits { left: Mutex::new(most), returned: Condvar::new() }
    }

    pub fn wait(&self) -> Permit<'_> {
        let mut left = self.left.lock();
        self.returned.wait_while(&mut left, |left| *left == 0);
        *left = left.saturating_sub(1);
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut left = self.0.left.lock();
        *left = left.saturating_add(1);
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn number_of_permits_is_bounded() {
        let (permits, under_way, most) = (Permits::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _permit = permits.wait();
                        most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        under_way.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((most.load(Ordering::SeqCst), *permits.left.lock()), (2, 2));
    }
}
