//! A tenant's current usage, against its quota.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pointsman_rules::config::{BreakerConfig, Quota, Share, WhileSlow};
use pointsman_rules::contract::Alpn;
use pointsman_rules::quota::{Breaker, Count, CountGuard, Rate};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::answer::OverQuota;

/// Shares, rates and counts of one tenant.
#[derive(Debug)]
pub struct Usage {
    /// Time spent on decisions, in nanoseconds.
    pub cpu: Rate,
    pub cpu_percent: u32,
    /// Time spent on decisions of a version on trial, apart from those that serve. Limited to the tenant's share of one
    /// thread, where decisions that serve get that share of all threads.
    pub trials: Rate,
    /// Maximum number of upstream connections kept for reuse.
    pub connections_kept: usize,
    pub breaker: Breaker,
    /// Requests in flight.
    pub requests: Count,
    /// Attempts in flight: each holds an upstream connection or a stream of one.
    pub attempts: Count,
    /// Upstream connections, in use or idle.
    pub connections: Count,
    /// Lookups of names that were not in the resolver's cache.
    pub lookups: Rate,
    /// New peers whose HTTP version is negotiated, in 60ths.
    negotiated: Rate,
    log: Rate,
    lines_dropped: AtomicU64,
    turns: ConcurrencyLimit,
    /// Duration of a decision, in nanoseconds: a moving average with a weight of one eighth for each new decision.
    decision_ns: AtomicU64,
}

/// Limits concurrent decisions.
#[derive(Debug)]
struct ConcurrencyLimit {
    semaphore: Semaphore,
    most: usize,
    who: AppliesTo,
}

/// Which decisions have to wait for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AppliesTo {
    Nobody,
    /// Only those of a tenant whose decisions are slow: it would keep other tenants from the threads.
    Slow,
    All,
}

/// CPU time that a tenant may use at once after a quiet period. With more, other tenants would wait for as long.
const CPU_RESERVE: Duration = Duration::from_millis(100);

/// How long a decision may wait for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Decisions that take longer are slow. Faster ones delay other tenants less than turns would cost their own tenant.
const SLOW: Duration = Duration::from_millis(1);

impl Usage {
    /// `threads` threads decide for all tenants; `share` applies where the quota sets no limit.
    pub fn new(quota: &Quota, breaker: &BreakerConfig, threads: usize, share: Share) -> Usage {
        let start = Instant::now();
        let cpu_percent = quota.cpu_percent.unwrap_or(share.cpu_percent);
        let threads_u64 = u64::try_from(threads).unwrap_or(u64::MAX);
        let nanoseconds = threads_u64.saturating_mul(u64::from(cpu_percent)).saturating_mul(10_000_000);
        let (most, who) = match quota.concurrent_decisions {
            Some(most) if most < threads => (most, AppliesTo::All),
            Some(_) => (threads, AppliesTo::Nobody),
            None => match share.while_slow {
                WhileSlow::All => (threads, AppliesTo::Nobody),
                WhileSlow::Half => ((threads / 2).max(1), AppliesTo::Slow),
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
            turns: ConcurrencyLimit { semaphore: Semaphore::new(most), most, who },
            decision_ns: AtomicU64::new(0),
        }
    }

    /// Waits until the tenant may make one more decision. None: it does not need a turn.
    pub async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, OverQuota> {
        let ConcurrencyLimit { semaphore, most, who } = &self.turns;
        let waits = match who {
            AppliesTo::Nobody => false,
            AppliesTo::Slow => u128::from(self.decision_ns.load(Ordering::Relaxed)) > SLOW.as_nanos(),
            AppliesTo::All => true,
        };
        if !waits {
            return Ok(None);
        }
        match timeout(LONGEST_WAIT, semaphore.acquire()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) | Err(_) => Err(OverQuota::Decisions { limit: *most }),
        }
    }

    /// Charges a decision that took `elapsed` and has just ended.
    pub fn decided(&self, elapsed: Duration, now: Instant) {
        let nanoseconds = spend(&self.cpu, elapsed, now);
        // Two concurrent updates may lose one: it is only an average.
        let before = self.decision_ns.load(Ordering::Relaxed);
        let after = before.saturating_sub(before / 8).saturating_add(nanoseconds / 8);
        self.decision_ns.store(after, Ordering::Relaxed);
    }

    /// Charges a decision of a version on trial.
    pub fn tried(&self, elapsed: Duration, now: Instant) {
        spend(&self.trials, elapsed, now);
    }

    /// Upstream connections other than that of an attempt: those open now, or those that attempts which began before it
    /// will have. So of attempts that begin at the same time, as many as the quota keep their connections. Each stream
    /// of a shared HTTP/2 connection counts as a connection.
    pub fn other_connections(&self, attempt: &CountGuard) -> usize {
        // Those before it may have ended since.
        self.connections.now().max(attempt.before().min(self.attempts.now().saturating_sub(1)))
    }

    /// Whether a new peer may negotiate its HTTP version. Pingora keeps each result for ever, so a tenant gets only
    /// `quota.peers` of them a minute.
    pub fn may_negotiate(&self, alpn: Alpn) -> bool {
        let now = Instant::now();
        let may = alpn != Alpn::H2h1 || !self.negotiated.is_over(now);
        if may && alpn == Alpn::H2h1 {
            self.negotiated.spend(60, now);
        }
        may
    }

    /// Whether a line of this length may be logged. If so, the number of lines dropped before it.
    pub fn may_log(&self, bytes: usize, now: Instant) -> Option<u64> {
        if self.log.is_over(now) {
            self.lines_dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.log.spend(u64::try_from(bytes).unwrap_or(u64::MAX), now);
        Some(self.lines_dropped.swap(0, Ordering::Relaxed))
    }
}

/// Charges a decision that took `elapsed` and has just ended, and returns its nanoseconds.
fn spend(rate: &Rate, elapsed: Duration, now: Instant) -> u64 {
    let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    // Spent as of its start, so that the credit of its own duration counts.
    rate.spend(nanoseconds, now.checked_sub(elapsed).unwrap_or(now));
    nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(threads: usize, cpu_percent: u32) -> Usage {
        Usage::new(&Quota::default(), &BreakerConfig::default(), threads, Share { cpu_percent, ..Share::ALL })
    }

    /// All threads run one long decision after the other.
    #[test]
    fn tenant_with_all_threads_never_exceeds_its_share() {
        let (usage, start, long) = (usage(2, 100), Instant::now(), Duration::from_secs(3));
        for turn in 1..100 {
            let now = start + long * turn;
            usage.decided(long, now);
            usage.decided(long, now);
            assert!(!usage.cpu.is_over(now), "turn {turn}");
        }
    }

    #[test]
    fn tenant_with_a_share_exceeds_it_and_recovers() {
        let (usage, start, long) = (usage(2, 50), Instant::now(), Duration::from_secs(1));
        let now = start + long;
        usage.decided(long, now);
        assert!(!usage.cpu.is_over(now), "one thread of two is half");
        usage.decided(long, now);
        assert!(usage.cpu.is_over(now) && usage.cpu.is_over(now + Duration::from_millis(899)));
        assert!(!usage.cpu.is_over(now + Duration::from_millis(900)));
    }

    #[tokio::test]
    async fn only_a_slow_tenant_waits_for_its_turn() {
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
        assert!(alone.turn().await.is_ok_and(|turn| turn.is_none()), "no other tenant needs the threads");
        let (one, two) = (usage.turn().await, usage.turn().await);
        assert!(one.as_ref().is_ok_and(Option::is_some) && two.is_ok_and(|turn| turn.is_some()), "half of four");
        drop(one);
        for _ in 0..40 {
            usage.decided(Duration::from_micros(20), now);
        }
        assert!(usage.turn().await.is_ok_and(|turn| turn.is_none()), "it is fast again");
    }
}
