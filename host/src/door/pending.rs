//! Counts requests that are still arriving while the listeners close: they are not yet counted as in flight, so without
//! this a shutdown would drop them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Numbers of connections that have not sent a byte yet, and of heads that have begun and are not complete, over all
/// listeners.
#[derive(Debug, Default)]
pub struct Pending {
    silent: AtomicUsize,
    begun: AtomicUsize,
}

/// Longest time from accepting a connection until its task runs and counts it.
const TASK: Duration = Duration::from_millis(50);

/// How long a shutdown waits for the first byte of a connection. Chosen: clients with a request send it at once, and
/// others keep a connection open for later.
const SILENT: Duration = Duration::from_secs(1);

/// Polling interval of [`Pending::are_in`] while the listeners close.
const LOOK: Duration = Duration::from_millis(5);

impl Pending {
    pub fn connected(&self) {
        self.silent.fetch_add(1, Ordering::SeqCst);
    }

    /// A silent connection has sent its first byte or is gone.
    pub fn heard(&self) {
        self.silent.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn begun(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// A head is complete, or its connection is gone.
    pub fn over(&self) {
        self.begun.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits until every request of the connections that were accepted before the listeners closed is counted as in
    /// flight. Heads have a timeout of their own, so the wait ends.
    pub async fn are_in(&self) {
        let start = Instant::now();
        loop {
            let waited = start.elapsed();
            let quiet = waited >= SILENT || (waited >= TASK && self.silent.load(Ordering::SeqCst) == 0);
            if quiet && self.begun.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
