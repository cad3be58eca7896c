//! What a tenant uses now, against its quota.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::answer::OverQuota;
use crate::config::{BreakerConfig, Quota};
use crate::quota::{Breaker, Count, Rate};

/// Shares, rates and counts of one tenant.
#[derive(Debug)]
pub struct Usage {
    /// Time that decisions took, in nanoseconds.
    pub cpu: Rate,
    pub cpu_percent: u32,
    pub breaker: Breaker,
    /// Requests in flight.
    pub requests: Count,
    /// Attempts under way: each holds an upstream connection, or a stream of one.
    pub attempts: Count,
    /// Upstream connections, in use or idle.
    pub connections: Count,
    log: Rate,
    lines_dropped: AtomicU64,
    /// None: as many decisions at a time as there are threads.
    decisions: Option<(Semaphore, usize)>,
}

/// How long a decision may wait for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Usage {
    /// `threads` decide for all tenants; `cpu_percent` is what the tenant has of them if its quota does not say.
    pub fn new(quota: &Quota, breaker: &BreakerConfig, threads: usize, cpu_percent: u32) -> Usage {
        let start = Instant::now();
        let cpu_percent = quota.cpu_percent.unwrap_or(cpu_percent);
        let threads_u64 = u64::try_from(threads).unwrap_or(u64::MAX);
        let nanoseconds = threads_u64.saturating_mul(u64::from(cpu_percent)).saturating_mul(10_000_000);
        let decisions = quota.concurrent_decisions.filter(|most| *most < threads);
        Usage {
            cpu: Rate::per_second(nanoseconds, start),
            cpu_percent,
            breaker: Breaker::new(breaker.clone()),
            requests: Count::default(),
            attempts: Count::default(),
            connections: Count::default(),
            log: Rate::per_second(quota.log_bytes_per_s, start),
            lines_dropped: AtomicU64::new(0),
            decisions: decisions.map(|most| (Semaphore::new(most), most)),
        }
    }

    /// Waits until the tenant may decide once more. None: there is nothing to wait for.
    pub async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, OverQuota> {
        let Some((semaphore, limit)) = &self.decisions else { return Ok(None) };
        match timeout(LONGEST_WAIT, semaphore.acquire()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(OverQuota::Decisions { limit: *limit }),
        }
    }

    /// Upstream connections that there are beside the one of the current attempt, or will be when all attempts under way
    /// have theirs. Streams that share an HTTP/2 connection count as one each.
    pub fn other_connections(&self) -> usize {
        self.connections.now().max(self.attempts.now().saturating_sub(1))
    }

    /// Whether a line of this length may be logged. If so: how many lines could not before it.
    pub fn may_log(&self, bytes: usize, now: Instant) -> Option<u64> {
        if self.log.is_over(now) {
            self.lines_dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.log.spend(u64::try_from(bytes).unwrap_or(u64::MAX), now);
        Some(self.lines_dropped.swap(0, Ordering::Relaxed))
    }
}
