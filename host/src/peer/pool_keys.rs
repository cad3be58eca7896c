//! Which requests may share a pooled connection.
//!
//! Pingora's own key leaves out part of what makes a connection what it is (bind address, ALPN, CA, TCP options, the
//! tenant), and it is a hash. So the host gives every distinct `ConnectionSpec` of a tenant a number of its own and
//! hands that to Pingora as the group key: interned, not hashed, so two specs never collide; taken from one counter, so
//! two tenants never do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::check::{ConnectionSpec, PeerSpec};

/// A tenant's connections and their group keys.
#[derive(Debug, Default)]
pub struct PoolKeys(Mutex<HashMap<ConnectionSpec, u64>>);

/// Pingora's default group key is 0: never given out.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl PoolKeys {
    /// Distinct connections that a tenant's table holds. A module that makes up more starts the table anew: its idle
    /// connections are then no longer found and end with their idle timeout. No key is ever given twice, so that is
    /// all that can happen.
    const MOST: usize = 4096;

    pub fn key(&self, peer: &PeerSpec) -> u64 {
        if peer.timeouts.idle.is_zero() {
            // It must not be kept, and Pingora pools even such a connection, if only for a moment.
            return PoolKeys::unique();
        }
        let connection = &peer.connection;
        let mut keys = self.0.lock();
        if let Some(key) = keys.get(connection) {
            return *key;
        }
        if keys.len() >= Self::MOST {
            keys.clear();
        }
        let key = PoolKeys::unique();
        keys.insert(connection.clone(), key);
        key
    }

    /// A key that no other connection has.
    fn unique() -> u64 {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}
