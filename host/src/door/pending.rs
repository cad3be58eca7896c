//! Requests that are on their way in while the listeners close: nobody has counted them yet, and their clients would
//! lose them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Connections of all listeners that have not sent a byte yet, and heads that have begun and are not complete.
#[derive(Debug, Default)]
pub struct Pending {
    silent: AtomicUsize,
    begun: AtomicUsize,
}

/// For how long a connection is not counted after it was accepted: until its task runs.
const TASK: Duration = Duration::from_millis(50);

/// How long a connection may take to its first byte, to be waited for. Chosen: clients that ask do so at once, and
/// others keep a connection ready for later.
const SILENT: Duration = Duration::from_secs(1);

/// Interval of the checks for the end of accepted connections while the listeners close.
const LOOK: Duration = Duration::from_millis(5);

impl Pending {
    pub fn connected(&self) {
        self.silent.fetch_add(1, Ordering::SeqCst);
    }

    /// A connection is not silent any more, or gone.
    pub fn heard(&self) {
        self.silent.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn begun(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// A head is complete, or its connection gone.
    pub fn over(&self) {
        self.begun.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits until all requests are counted as in flight whose connections were there before the listeners closed.
    /// Heads have a time of their own, so that none is waited for without an end.
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
