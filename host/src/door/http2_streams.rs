//! The streams of one HTTP/2 connection: how many there are, and how many may begin before the client has read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pointsman_rules::quota::{Count, CountGuard};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::door::report::Reporter;

/// Streams that may begin before the client has been seen reading.
const UNPROVEN: usize = 8;

/// Unread bytes of responses on one connection above which its further requests wait. Chosen: a few times the buffer of
/// one stream.
const MOST_WAITING: u64 = 1024 * 1024;

/// How long a request waits for an earlier stream to end, as proof that the client reads, before it may begin without
/// that proof. Only while no more than `MOST_WAITING` is unread.
const PROOF: Duration = Duration::from_millis(100);

/// The state that the streams of a connection share.
#[derive(Debug)]
pub struct Streams {
    reporter: Arc<Reporter>,
    active: Count,
    answered: AtomicUsize,
    /// Streams whose response may be under way.
    begun: Count,
    /// Start of the current interval of length `PROOF`, and the streams that began without proof since then.
    unproven: Mutex<(Instant, usize)>,
    /// Bytes of responses that were received from upstreams.
    passed: AtomicU64,
    /// Notifies waiting requests that a stream has ended.
    ended: Notify,
    start: Instant,
    /// Milliseconds from the start to the end of the last stream.
    last_end: AtomicU64,
}

/// An active stream. Counts until this is dropped.
pub struct ActiveStream(Arc<Streams>);

impl Streams {
    pub fn new(reporter: Arc<Reporter>) -> Streams {
        Streams {
            reporter,
            active: Count::default(),
            answered: AtomicUsize::new(0),
            begun: Count::default(),
            unproven: Mutex::new((Instant::now(), 0)),
            passed: AtomicU64::new(0),
            ended: Notify::new(),
            start: Instant::now(),
            last_end: AtomicU64::new(0),
        }
    }

    /// Counts a stream as active.
    pub fn open(self: &Arc<Self>) -> ActiveStream {
        self.active.add();
        ActiveStream(self.clone())
    }

    /// Number of active streams.
    pub fn active(&self) -> usize {
        self.active.now()
    }

    /// When the connection began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// A piece of a response is on its way to the client.
    pub fn pass(&self, bytes: usize) {
        self.passed.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes of responses that the client has not read yet. Slightly too low, because framing counts as read.
    fn waiting(&self) -> u64 {
        self.passed.load(Ordering::Relaxed).saturating_sub(self.reporter.written_so_far())
    }

    /// Waits until this connection may have one more response under way. A client that reads never waits long; one that
    /// does not read takes up the buffers of a few streams and no more. None: the client did not read for `longest`.
    pub async fn begin(&self, longest: Duration) -> Option<CountGuard> {
        let start = Instant::now();
        loop {
            let ended = self.ended.notified();
            if self.waiting() <= MOST_WAITING {
                let free = UNPROVEN.saturating_add(self.answered.load(Ordering::Relaxed).saturating_mul(4));
                let begun = self.begun.enter(free);
                if begun.is_some() {
                    return begun;
                }
                if start.elapsed() >= PROOF && self.may_go_unproven() {
                    return self.begun.enter(usize::MAX);
                }
            }
            if start.elapsed() >= longest {
                return None;
            }
            // Checks again when a stream ends, and at least once per interval.
            let _ = timeout(PROOF, ended).await;
        }
    }

    /// Lets a few streams begin without proof in each interval: earlier streams may all be waiting for their upstream,
    /// or for events.
    fn may_go_unproven(&self) -> bool {
        let mut unproven = self.unproven.lock();
        let (since, count) = &mut *unproven;
        if since.elapsed() >= PROOF {
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count <= UNPROVEN
    }

    /// Whether the connection has more active streams than a client may have that was never seen reading.
    pub fn is_busy(&self) -> bool {
        self.active.now() > UNPROVEN
    }

    /// When the last stream ended, or the connection began.
    pub fn idle_since(&self) -> Instant {
        self.start + Duration::from_millis(self.last_end.load(Ordering::Relaxed))
    }
}

impl Drop for ActiveStream {
    fn drop(&mut self) {
        let streams = &self.0;
        let elapsed = u64::try_from(streams.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        streams.last_end.store(elapsed, Ordering::Relaxed);
        streams.active.remove();
        streams.answered.fetch_add(1, Ordering::Relaxed);
        streams.ended.notify_waiters();
    }
}
