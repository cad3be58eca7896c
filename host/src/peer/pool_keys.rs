//! Which requests may share a pooled connection.
//!
//! Pingora's own key leaves out part of what makes a connection what it is (bind address, ALPN, CA, TCP options, the
//! tenant), and it is a hash. So the host gives every distinct `ConnectionSpec` of a tenant a number of its own and
//! hands that to Pingora as the group key: interned, not hashed, so two specs never collide; taken from one counter, so
//! two tenants never do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pointsman_rules::check::{ConnectionSpec, PeerSpec};

/// A tenant's connections and their group keys.
#[derive(Debug)]
pub struct PoolKeys {
    /// Distinct connections that the table holds. A module that makes up more starts it anew: its idle connections are
    /// then no longer found and end with their idle timeout. No key is ever given twice, so that is all that can
    /// happen.
    most: usize,
    keys: Mutex<HashMap<ConnectionSpec, u64>>,
}

/// A group key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolKey {
    pub key: u64,
    pub found: Found,
}

/// Whether a connection was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Known,
    New,
    /// New, and there was no room for it: the table was started anew.
    TableAnew,
}

/// Pingora's default group key is 0: never given out.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl PoolKeys {
    pub fn new(most: usize) -> PoolKeys {
        PoolKeys { most, keys: Mutex::default() }
    }

    pub fn key(&self, peer: &PeerSpec) -> PoolKey {
        if peer.timeouts.idle.is_zero() {
            // It must not be kept, and Pingora pools even such a connection, if only for a moment.
            return PoolKey { key: PoolKeys::unique(), found: Found::New };
        }
        let connection = &peer.connection;
        let mut keys = self.keys.lock();
        if let Some(key) = keys.get(connection) {
            return PoolKey { key: *key, found: Found::Known };
        }
        let found = if keys.len() >= self.most { Found::TableAnew } else { Found::New };
        if found == Found::TableAnew {
            keys.clear();
        }
        let key = PoolKeys::unique();
        keys.insert(connection.clone(), key);
        PoolKey { key, found }
    }

    /// A key that no other connection has.
    fn unique() -> u64 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}
