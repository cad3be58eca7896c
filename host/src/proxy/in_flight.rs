//! Counts requests in flight, so that a shutdown can wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The number of requests in flight in one proxy.
#[derive(Clone, Default)]
pub struct Gauge(Arc<Count>);

/// One request in flight. It counts until this is dropped.
pub struct InFlight(Arc<Count>);

#[derive(Default)]
struct Count {
    requests: AtomicUsize,
    none_left: Notify,
}

impl Gauge {
    pub fn enter(&self) -> InFlight {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        InFlight(self.0.clone())
    }

    pub fn requests(&self) -> usize {
        self.0.requests.load(Ordering::Acquire)
    }

    /// Waits until no request is in flight.
    pub async fn drained(&self) {
        loop {
            // Created before the count is read, so that a request which ends in between is not missed.
            let none_left = self.0.none_left.notified();
            if self.requests() == 0 {
                return;
            }
            none_left.await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drained_waits_for_the_last_request() {
        let gauge = Gauge::default();
        let (first, second) = (gauge.enter(), gauge.enter());
        let waiter = tokio::spawn({
            let gauge = gauge.clone();
            async move { gauge.drained().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(second);
        assert!(waiter.await.is_ok());
    }
}
