//! Turns a checked `PeerSpec` into Pingora's `HttpPeer`, in one function, and into the key under which its connection
//! is pooled.

mod http_peer;
mod pool_keys;
mod connect_progress;
mod tunnel;
mod tls_groups;
mod unix;

#[cfg(test)]
pub(crate) mod tests;

pub use connect_progress::{ConnectProgress, Watch};
pub use http_peer::{NotHttp2, PeerError, PeerInputs, ReadyPeer, http_peer, prepared};
pub use pool_keys::{KeyOrigin, PoolKey, PoolKeys};
pub use tls_groups::is_known_group_list;
pub use tunnel::TunnelError;

pub use pointsman_native::certificates::{certificate_error, watch_certificates};
