//! A client's connection under the door's rules: a request head has a total time and a size, and HTTP/2 prior
//! knowledge is told from HTTP/1 without waiting for bytes that an HTTP/1 client need not send.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::door::listener::Listener;
use crate::door::watch::{HeadWatch, Phase};

/// A connection whose heads are bounded.
#[derive(Debug)]
pub struct DoorStream {
    inner: Stream,
    listener: Arc<Listener>,
    watch: Arc<HeadWatch>,
    /// Bytes of the current head that were read so far.
    head_bytes: usize,
    /// When the current head must be complete.
    until: Option<Instant>,
    /// Ends at that time. Made only if a head does not come in one piece.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes that were looked at and are still to be read.
    peeked: Bytes,
}

const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\npointsman-error: head-timeout\r\n\
                           connection: close\r\ncontent-length: 0\r\n\r\n";
const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\npointsman-error: head-too-large\r\n\
                           connection: close\r\ncontent-length: 0\r\n\r\n";

impl DoorStream {
    pub fn new(inner: Stream, listener: Arc<Listener>, watch: Arc<HeadWatch>) -> DoorStream {
        DoorStream { inner, listener, watch, head_bytes: 0, until: None, deadline: None, peeked: Bytes::new() }
    }

    /// Ends a connection whose head broke a bound. Tells the client if that can be done at once.
    fn refuse(&mut self, cx: &mut Context<'_>, answer: &'static [u8], reason: &'static str) -> io::Error {
        self.watch.enter(Phase::Beyond);
        let _ = Pin::new(&mut self.inner).poll_write(cx, answer);
        let _ = Pin::new(&mut self.inner).poll_flush(cx);
        io::Error::new(io::ErrorKind::TimedOut, reason)
    }

    /// What was looked at comes first.
    fn poll_read_next(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.peeked.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let take = self.peeked.len().min(buf.remaining());
        buf.put_slice(&self.peeked.split_to(take));
        Poll::Ready(Ok(()))
    }

    fn poll_read_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.watch.phase() == Phase::Idle {
            self.head_bytes = 0;
            self.until = None;
            self.deadline = None;
        }
        if self.head_bytes >= self.listener.max_head_bytes {
            return Poll::Ready(Err(self.refuse(cx, TOO_LARGE, "request head too large")));
        }
        if let Some(until) = self.until
            && self.deadline.get_or_insert_with(|| Box::pin(sleep_until(until))).as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(self.refuse(cx, TIMED_OUT, "request head took too long")));
        }
        let before = buf.filled().len();
        ready!(self.poll_read_next(cx, buf))?;
        let read = buf.filled().len().saturating_sub(before);
        if read > 0 && self.until.is_none() {
            self.watch.enter(Phase::Head);
            self.until = Some(Instant::now() + self.listener.head_timeout);
        }
        self.head_bytes = self.head_bytes.saturating_add(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DoorStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.watch.phase() {
            Phase::Idle | Phase::Head => self.poll_read_head(cx, buf),
            Phase::Beyond => {
                self.deadline = None;
                self.poll_read_next(cx, buf)
            }
        }
    }
}

impl AsyncWrite for DoorStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// The start of every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Pingora peeks for HTTP/2's preface and waits until it has all 24 bytes, which a short HTTP/1.0 request does not
/// have. Here it is told at the first byte that differs.
#[async_trait]
impl Peek for DoorStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        let mut seen = 0;
        while let Some(room) = buf.get_mut(seen..).filter(|room| !room.is_empty()) {
            let read = self.read(room).await?;
            seen += read;
            let so_far = buf.get(..seen).unwrap_or_default();
            if read == 0 || !PREFACE.starts_with(so_far) {
                break;
            }
        }
        self.peeked = Bytes::copy_from_slice(buf.get(..seen).unwrap_or_default());
        if self.peeked == PREFACE {
            self.watch.enter(Phase::Beyond);
        }
        Ok(true)
    }
}

#[async_trait]
impl Shutdown for DoorStream {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

impl UniqueID for DoorStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for DoorStream {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for DoorStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for DoorStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for DoorStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}
