//! Pingora's accessors of a stream. All but closing are forwarded to the connection.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};

use super::DoorStream;

/// Pingora's own detection of HTTP/2's preface is not used: see `is_http2`.
impl<S: IO + 'static> Peek for DoorStream<S> {}

#[async_trait]
impl<S: IO + 'static> Shutdown for DoorStream<S> {
    /// Does nothing: dropping the stream closes the connection, with a lingering close if the client may still send.
    async fn shutdown(&mut self) {}
}

impl<S: IO + 'static> UniqueID for DoorStream<S> {
    fn id(&self) -> UniqueIDType {
        self.inner().map_or(-1, UniqueID::id)
    }
}

impl<S: IO + 'static> Ssl for DoorStream<S> {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner()?.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner()?.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner()?.selected_alpn_proto()
    }
}

impl<S: IO + 'static> GetTimingDigest for DoorStream<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner().map(GetTimingDigest::get_timing_digest).unwrap_or_default()
    }
}

impl<S: IO + 'static> GetProxyDigest for DoorStream<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner()?.get_proxy_digest()
    }
}

impl<S: IO + 'static> GetSocketDigest for DoorStream<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner()?.get_socket_digest()
    }
}
