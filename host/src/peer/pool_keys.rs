//! Assigns pool keys, which determine the requests that may share a pooled connection.
//!
//! Pingora's own key leaves out attributes that distinguish connections (bind address, ALPN, CA, TCP options, the
//! tenant), and it is a hash. So the host gives every distinct `ConnectionSpec` of a tenant a number of its own and
//! passes that to Pingora as the group key: interned, not hashed, so two specs never collide; taken from one counter,
//! so two tenants never do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use pointsman_rules::check::{ConnectionSpec, PeerSpec};

/// A tenant's connections and their group keys.
#[derive(Debug)]
pub struct PoolKeys {
    /// Distinct connections that the table holds at most. When a module makes up more, the table is cleared: the idle
    /// connections of its old keys are no longer found, and end with their idle timeout. That is the only effect, since
    /// no key is ever assigned twice.
    most: usize,
    keys: Mutex<HashMap<ConnectionSpec, u64>>,
}

/// A group key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolKey {
    pub key: u64,
    pub origin: KeyOrigin,
}

/// Whether the table already had a key for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    Known,
    New,
    /// New, and the table was full, so it was cleared first.
    TableCleared,
}

/// Pingora's default group key is 0, so keys begin at 1.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl PoolKeys {
    pub fn new(most: usize) -> PoolKeys {
        PoolKeys { most, keys: Mutex::default() }
    }

    pub fn key(&self, peer: &PeerSpec) -> PoolKey {
        if peer.timeouts.idle.is_zero() {
            // The connection must not be reused, and Pingora pools even such a connection, if only for a moment.
            return PoolKey { key: PoolKeys::unique(), origin: KeyOrigin::New };
        }
        let connection = &peer.connection;
        let mut keys = self.keys.lock();
        if let Some(key) = keys.get(connection) {
            return PoolKey { key: *key, origin: KeyOrigin::Known };
        }
        let origin = if keys.len() >= self.most { KeyOrigin::TableCleared } else { KeyOrigin::New };
        if origin == KeyOrigin::TableCleared {
            keys.clear();
        }
        let key = PoolKeys::unique();
        keys.insert(connection.clone(), key);
        PoolKey { key, origin }
    }

    /// A key that no other connection has.
    fn unique() -> u64 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}
