//! What a tenant uses now, against its quota.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pointsman_rules::config::{BreakerConfig, Quota, Share, WhileSlow};
use pointsman_rules::contract::Alpn;
use pointsman_rules::quota::{Breaker, Count, Rate};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::answer::OverQuota;

/// Shares, rates and counts of one tenant.
#[derive(Debug)]
pub struct Usage {
    /// Time that decisions took, in nanoseconds.
    pub cpu: Rate,
    pub cpu_percent: u32,
    /// Time that decisions of a version on trial took, beside those that serve: as much of one thread as the tenant may
    /// have of all.
    pub trials: Rate,
    /// Upstream connections that are kept for reuse.
    pub connections_kept: usize,
    pub breaker: Breaker,
    /// Requests in flight.
    pub requests: Count,
    /// Attempts under way: each holds an upstream connection, or a stream of one.
    pub attempts: Count,
    /// Upstream connections, in use or idle.
    pub connections: Count,
    /// Names that were not in the resolver's cache.
    pub lookups: Rate,
    /// New peers with which the HTTP version is negotiated, in 60ths.
    negotiated: Rate,
    log: Rate,
    lines_dropped: AtomicU64,
    turns: Turns,
    /// What a decision takes, in nanoseconds: an average in which each counts for an eighth.
    decision_ns: AtomicU64,
}

/// How many decisions there may be at the same time.
#[derive(Debug)]
struct Turns {
    semaphore: Semaphore,
    most: usize,
    who: Who,
}

/// Who has to wait for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// Only a tenant whose decisions are slow: it would keep the others from the threads.
    Slow,
    All,
}

/// What decisions may take together after a time of rest: more at once, and other tenants would wait for as long.
const CPU_RESERVE: Duration = Duration::from_millis(100);

/// How long a decision may wait for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Decisions that take longer are slow. Below it, waiting costs others less than turns would cost their tenant.
const SLOW: Duration = Duration::from_millis(1);

impl Usage {
    /// `threads` decide for all tenants; `share` is what the tenant has if its quota does not say.
    pub fn new(quota: &Quota, breaker: &BreakerConfig, threads: usize, share: Share) -> Usage {
        let start = Instant::now();
        let cpu_percent = quota.cpu_percent.unwrap_or(share.cpu_percent);
        let threads_u64 = u64::try_from(threads).unwrap_or(u64::MAX);
        let nanoseconds = threads_u64.saturating_mul(u64::from(cpu_percent)).saturating_mul(10_000_000);
        let (most, who) = match quota.concurrent_decisions {
            Some(most) if most < threads => (most, Who::All),
            Some(_) => (threads, Who::Nobody),
            None => match share.while_slow {
                WhileSlow::All => (threads, Who::Nobody),
                WhileSlow::Half => ((threads / 2).max(1), Who::Slow),
            },
        };
        Usage {
            cpu: Rate::per_second(nanoseconds, CPU_RESERVE, start),
            cpu_percent,
            trials: Rate::per_second(u64::from(cpu_percent).saturating_mul(10_000_000), CPU_RESERVE, start),
            connections_kept: quota.connections.unwrap_or(share.connections),
            breaker: Breaker::new(breaker.clone()),
            requests: Count::default(),
            attempts: Count::default(),
            connections: Count::default(),
            lookups: Rate::per_second(quota.lookups_per_s, Duration::from_secs(1), start),
            negotiated: Rate::per_second(
                u64::try_from(quota.peers).unwrap_or(u64::MAX),
                Duration::from_secs(60),
                start,
            ),
            log: Rate::per_second(quota.log_bytes_per_s, Duration::from_secs(1), start),
            lines_dropped: AtomicU64::new(0),
            turns: Turns { semaphore: Semaphore::new(most), most, who },
            decision_ns: AtomicU64::new(0),
        }
    }

    /// Waits until the tenant may decide once more. None: it need not.
    pub async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, OverQuota> {
        let Turns { semaphore, most, who } = &self.turns;
        let waits = match who {
            Who::Nobody => false,
            Who::Slow => u128::from(self.decision_ns.load(Ordering::Relaxed)) > SLOW.as_nanos(),
            Who::All => true,
        };
        if !waits {
            return Ok(None);
        }
        match timeout(LONGEST_WAIT, semaphore.acquire()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(OverQuota::Decisions { limit: *most }),
        }
    }

    /// Charges a decision that took this long, up to now.
    pub fn decided(&self, elapsed: Duration, now: Instant) {
        let nanoseconds = spend(&self.cpu, elapsed, now);
        // Two at once may lose one of them: it is an average.
        let before = self.decision_ns.load(Ordering::Relaxed);
        let after = before.saturating_sub(before / 8).saturating_add(nanoseconds / 8);
        self.decision_ns.store(after, Ordering::Relaxed);
    }

    /// Charges a decision of a version on trial.
    pub fn tried(&self, elapsed: Duration, now: Instant) {
        spend(&self.trials, elapsed, now);
    }

    /// Upstream connections that there are beside the one of the current attempt, or will be when all attempts under
    /// way have theirs. Streams that share an HTTP/2 connection count as one each.
    pub fn other_connections(&self) -> usize {
        self.connections.now().max(self.attempts.now().saturating_sub(1))
    }

    /// Whether a new peer may have its HTTP version negotiated. Pingora remembers for ever what came of it, so a tenant
    /// may have so many of them in a minute.
    pub fn may_negotiate(&self, alpn: Alpn) -> bool {
        let now = Instant::now();
        let may = alpn != Alpn::H2h1 || !self.negotiated.is_over(now);
        if may && alpn == Alpn::H2h1 {
            self.negotiated.spend(60, now);
        }
        may
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

/// Charges a decision that took this long, up to now: so many nanoseconds.
fn spend(rate: &Rate, elapsed: Duration, now: Instant) -> u64 {
    let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    // From its start on: what its own time paid for is no debt.
    rate.spend(nanoseconds, now.checked_sub(elapsed).unwrap_or(now));
    nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(threads: usize, cpu_percent: u32) -> Usage {
        Usage::new(&Quota::default(), &BreakerConfig::default(), threads, Share { cpu_percent, ..Share::ALL })
    }

    /// All threads decide, one long decision after the other.
    #[test]
    fn tenant_that_has_all_threads_is_never_over() {
        let (usage, start, long) = (usage(2, 100), Instant::now(), Duration::from_secs(3));
        for turn in 1..100 {
            let now = start + long * turn;
            usage.decided(long, now);
            usage.decided(long, now);
            assert!(!usage.cpu.is_over(now), "turn {turn}");
        }
    }

    #[test]
    fn tenant_with_a_share_is_over_and_recovers() {
        let (usage, start, long) = (usage(2, 50), Instant::now(), Duration::from_secs(1));
        let now = start + long;
        usage.decided(long, now);
        assert!(!usage.cpu.is_over(now), "one thread of two is half");
        usage.decided(long, now);
        assert!(usage.cpu.is_over(now) && usage.cpu.is_over(now + Duration::from_millis(899)));
        assert!(!usage.cpu.is_over(now + Duration::from_millis(900)));
    }

    #[tokio::test]
    async fn only_a_tenant_that_is_slow_waits_for_its_turn() {
        let among_others = Usage::new(
            &Quota::default(),
            &BreakerConfig::default(),
            4,
            Share { cpu_percent: 100, ..Share::AMONG_OTHERS },
        );
        let (alone, usage, now) = (usage(4, 100), among_others, Instant::now());
        assert!(usage.turn().await.is_ok_and(|turn| turn.is_none()));
        for _ in 0..20 {
            usage.decided(Duration::from_millis(5), now);
            alone.decided(Duration::from_millis(5), now);
        }
        assert!(alone.turn().await.is_ok_and(|turn| turn.is_none()), "nobody else wants the threads");
        let (one, two) = (usage.turn().await, usage.turn().await);
        assert!(one.as_ref().is_ok_and(Option::is_some) && two.is_ok_and(|turn| turn.is_some()), "half of four");
        drop(one);
        for _ in 0..40 {
            usage.decided(Duration::from_micros(20), now);
        }
        assert!(usage.turn().await.is_ok_and(|turn| turn.is_none()), "it is fast again");
    }
}
