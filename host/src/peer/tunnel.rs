//! Opens tunnels through an HTTP proxy with CONNECT (RFC 9110, section 9.3.6).
//!
//! Pingora's own `HttpPeer::proxy` reaches proxies on Unix sockets only, sets no bound of its own on their answer, and
//! drops data that follows it in the same packet (an HTTP/2 server speaks first). So a custom connector replaces it,
//! for both TCP and Unix sockets.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use pingora::connectors::TransportConnector;
use pingora::connectors::l4::Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, OrErr, Result};
use pointsman_rules::check::{ConnectProxySpec, Target};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::peer::ConnectProgress;

/// Why a tunnel was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    #[error("the proxy answered {0}")]
    Refused(StatusCode),
    #[error("no answer from the proxy within {} ms (timeouts.connect-ms)", .0.as_millis())]
    Timeout(Duration),
    #[error("the proxy closed the connection")]
    Closed,
    #[error("the proxy's answer is not HTTP: {0}")]
    Protocol(String),
}

/// Connects to a proxy and asks it for a tunnel.
pub struct Tunnel {
    /// The proxy itself, as a plain TCP or Unix peer.
    pub proxy: HttpPeer,
    /// The whole CONNECT request. Its headers may hold credentials.
    pub request: Vec<u8>,
    pub timeout: Duration,
    pub connector: Arc<TransportConnector>,
    pub reached: ConnectProgress,
}

impl Tunnel {
    /// The request that asks for a tunnel to `target`.
    pub fn request(target: &Target, spec: &ConnectProxySpec) -> Vec<u8> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        for (name, value) in &spec.headers {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// Omits the request, whose headers may hold credentials.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connect for Tunnel {
    async fn connect(&self, _proxy: &SocketAddr) -> Result<Stream> {
        let stream = self.connector.new_stream(&self.proxy).await?;
        let stream = stream.into_any().downcast::<Stream>();
        let mut stream = stream.map_err(|_| Error::explain(ErrorType::InternalError, "the proxy's stream"))?;
        self.reached.proxy();
        let opened = tokio::time::timeout(self.timeout, open(&mut *stream, &self.request)).await;
        let rest = opened
            .unwrap_or(Err(TunnelError::Timeout(self.timeout)))
            .or_err(ErrorType::ConnectProxyFailure, "asking for a tunnel")?;
        stream.rewind(&rest);
        Ok(*stream)
    }
}

/// Sends the request and reads the answer. Returns the bytes that the upstream sent right after it.
async fn open(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> Result<Vec<u8>, TunnelError> {
    /// Largest head of an answer, in bytes.
    const MOST: usize = 16 * 1024;
    let closed = |_| TunnelError::Closed;
    stream.write_all(request).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let mut read = Vec::with_capacity(1024);
    loop {
        while let Some((status, length)) = head(&read)? {
            read.drain(..length);
            match status {
                status if status.is_success() => return Ok(read),
                // An interim response: the final one is still to come.
                status if status.is_informational() => {}
                status => return Err(TunnelError::Refused(status)),
            }
        }
        if read.len() >= MOST {
            return Err(TunnelError::Protocol(format!("its head has more than {MOST} bytes")));
        }
        if stream.read_buf(&mut read).await.map_err(closed)? == 0 {
            return Err(TunnelError::Closed);
        }
    }
}

/// Status and length of a head, once it is complete.
fn head(read: &[u8]) -> Result<Option<(StatusCode, usize)>, TunnelError> {
    let protocol = |error: &dyn fmt::Display| {
        let mut message = String::new();
        // Writing to a `String` can't fail.
        let _ = write!(message, "{error}");
        TunnelError::Protocol(message)
    };
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(read).map_err(|error| protocol(&error))? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let status = StatusCode::from_u16(response.code.unwrap_or_default()).map_err(|error| protocol(&error))?;
            Ok(Some((status, length)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result when a proxy answers with these bytes and then closes the connection.
    async fn answered(answer: &[u8]) -> Result<Vec<u8>, TunnelError> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let answer = answer.to_vec();
        let proxy = tokio::spawn(async move {
            let mut request = [0; 7];
            theirs.read_exact(&mut request).await?;
            theirs.write_all(&answer).await
        });
        let opened = open(&mut ours, b"CONNECT").await;
        drop(ours);
        let _ = proxy.await;
        opened
    }

    #[tokio::test]
    async fn success_opens_the_tunnel_and_keeps_the_following_bytes() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\n").await, Ok(Vec::new()));
        assert_eq!(
            answered(b"HTTP/1.0 200 Connection established\r\nvia: x\r\n\r\nhello").await,
            Ok(b"hello".to_vec())
        );
    }

    #[tokio::test]
    async fn interim_responses_are_skipped() {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n";
        assert_eq!(answered(answer).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn other_statuses_are_refusals() {
        for status in [301, 407, 502] {
            let expected = StatusCode::from_u16(status).expect("a status");
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 4\r\n\r\nbody");
            assert_eq!(answered(answer.as_bytes()).await, Err(TunnelError::Refused(expected)));
        }
    }

    #[tokio::test]
    async fn answer_that_is_not_http_is_its_own_error() {
        for answer in [&b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..], b"\x16\x03\x01\x02", b"HTTP/1.1 abc x\r\n\r\n"] {
            let opened = answered(answer).await;
            assert!(matches!(opened, Err(TunnelError::Protocol(_))), "{opened:?}");
        }
    }

    #[tokio::test]
    async fn head_is_bounded() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(20_000));
        let opened = answered(endless.as_bytes()).await;
        assert_eq!(opened, Err(TunnelError::Protocol("its head has more than 16384 bytes".to_owned())));
    }

    #[tokio::test]
    async fn proxy_that_closes_the_connection_is_its_own_error() {
        assert_eq!(answered(b"").await, Err(TunnelError::Closed));
        assert_eq!(answered(b"HTTP/1.1 200").await, Err(TunnelError::Closed));
    }
}
