//! Applies a tenant's quota to its requests, and counts in the metrics what goes over it. The quotas of logs and of
//! `shared` are counted where a decision is charged and logged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pointsman_rules::check::PeerSpec;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::quota::CountGuard;
use tokio::sync::SemaphorePermit;

use crate::answer::{Failure, OverQuota};
use crate::peer::{KeyOrigin, PoolKey};
use crate::resolve::{Family, LookupPolicy, ResolveError, Resolver};
use crate::tenant::Tenant;

impl Tenant {
    /// Counts a request as in flight (`quota.concurrent_requests`).
    pub fn begin_request(&self) -> Result<CountGuard, Failure> {
        let limit = self.config.quota.concurrent_requests;
        self.usage.requests.enter(limit).ok_or_else(|| {
            self.metrics.over_budget(LimitKey::ConcurrentRequests);
            Failure::TooManyRequests { limit }
        })
    }

    /// Whether its modules may run now (`quota.cpu_percent`).
    pub fn admit_decision(&self, now: Instant) -> Result<(), OverQuota> {
        if self.usage.cpu.is_over(now) {
            self.metrics.over_budget(LimitKey::CpuPercent);
            return Err(OverQuota::Cpu { percent: self.usage.cpu_percent });
        }
        Ok(())
    }

    /// Waits until it may make one more decision (`quota.concurrent_decisions`). None: it does not need a turn.
    pub async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, OverQuota> {
        let turn = self.usage.turn().await;
        if turn.is_err() {
            self.metrics.over_budget(LimitKey::ConcurrentDecisions);
        }
        turn
    }

    /// Resolves a name (`quota.lookups_per_s`).
    pub async fn addresses(
        &self,
        resolver: &Resolver,
        host: &str,
        port: u16,
        family: Option<Family>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let policy =
            LookupPolicy { egress: self.egress(), unreachable: &self.unreachable, lookups: &self.usage.lookups };
        let addresses = resolver.addresses(host, port, family, &policy).await;
        if let Err(ResolveError::TooMany(_)) = addresses {
            self.metrics.over_budget(LimitKey::LookupsPerS);
        }
        addresses
    }

    /// How long an attempt's connection is kept for reuse, where its peer wants `idle` (`quota.connections`). Over the
    /// quota, an idle connection may still be reused, but neither that nor a new one is kept afterwards.
    pub fn idle_timeout(&self, idle: Duration, attempt: &CountGuard) -> Duration {
        if idle.is_zero() || self.usage.other_connections(attempt) < self.usage.connections_kept {
            return idle;
        }
        self.metrics.over_budget(LimitKey::Connections);
        Duration::ZERO
    }

    /// Counts a request that failed after this many attempts, if that is the tenant's limit (`limits.attempts`).
    pub fn note_last_attempt(&self, attempts: u32) {
        if attempts >= self.config.limits.of_any().attempts {
            self.metrics.over_budget(LimitKey::Attempts);
        }
    }

    /// The pool key of a peer (`quota.peers`).
    pub fn pool_key(&self, peer: &PeerSpec) -> Result<u64, OverQuota> {
        let PoolKey { key, origin } = self.pool_keys.key(peer);
        let is_refused = origin != KeyOrigin::Known && !self.usage.may_negotiate(peer.connection.http.alpn);
        if is_refused || origin == KeyOrigin::TableCleared {
            self.metrics.over_budget(LimitKey::Peers);
        }
        if is_refused {
            return Err(OverQuota::Peers { limit: self.config.quota.peers });
        }
        Ok(key)
    }
}
