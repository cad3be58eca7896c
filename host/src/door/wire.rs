//! The socket of a client's connection: gathers small writes, and reads TLS records whole.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::SystemTime;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Bytes that are gathered before they are written: about one packet, so that a head and a short body leave together.
const GATHERED: usize = 1460;

/// Bytes that are read at a time under TLS: the largest record. OpenSSL would read each record in two steps, its header
/// and then the rest.
const RECORD: usize = 17 * 1024;

/// Bytes of memory that a connection keeps for data that is read ahead: most requests' heads fit.
const KEPT: usize = 512;

thread_local! {
    /// The buffer that records are read into. Most are consumed in full at once, so no connection needs its own.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; RECORD]);
}

/// An accepted socket.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How a connection's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Into the caller's buffer.
    Direct,
    /// A TLS record at a time.
    Records,
}

#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    reads: Reads,
    /// Bytes that were read ahead; `taken` of them are consumed.
    ahead: Vec<u8>,
    taken: usize,
    /// Bytes that wait to be written; `written` of them are.
    gathered: Vec<u8>,
    written: usize,
    accepted: SystemTime,
    digest: Arc<SocketDigest>,
}

impl Wire {
    /// `peer`: None on a Unix socket.
    pub fn new(socket: Socket, peer: Option<SocketAddr>, reads: Reads) -> Wire {
        let digest = SocketDigest::from_raw_fd(socket.descriptor());
        // The digest is new, so this can't fail.
        let _ = digest.peer_addr.set(peer.map(Into::into));
        Wire {
            socket,
            reads,
            ahead: Vec::new(),
            taken: 0,
            gathered: Vec::new(),
            written: 0,
            accepted: SystemTime::now(),
            digest: Arc::new(digest),
        }
    }

    /// Waits for the first bytes, or the end of the connection.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.readable().await,
            Socket::Unix(socket) => socket.readable().await,
        }
    }

    fn poll_read_record(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut record = ReadBuf::new(scratch);
            ready!(self.socket.poll_read(cx, &mut record))?;
            let (now, later) = record.filled().split_at_checked(buf.remaining()).unwrap_or((record.filled(), &[]));
            buf.put_slice(now);
            self.ahead.clear();
            self.ahead.extend_from_slice(later);
            self.taken = 0;
            Poll::Ready(Ok(()))
        })
    }

    /// Bytes that wait to be written.
    fn waiting(&self) -> &[u8] {
        self.gathered.get(self.written..).unwrap_or_default()
    }

    /// Writes the gathered bytes, and together with them the first of `bufs`. Returns how many bytes of `bufs` were
    /// written.
    fn poll_write_through(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.waiting().is_empty() {
            return self.socket.poll_write_vectored(cx, bufs);
        }
        loop {
            let waiting = self.gathered.get(self.written..).unwrap_or_default();
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            let pieces: &[IoSlice<'_>] = match first.is_empty() {
                true => &[IoSlice::new(waiting)],
                false => &[IoSlice::new(waiting), IoSlice::new(first)],
            };
            let written = ready!(self.socket.poll_write_vectored(cx, pieces))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            match written.checked_sub(waiting.len()) {
                Some(beyond) => {
                    self.gathered.clear();
                    self.written = 0;
                    if beyond > 0 || first.is_empty() {
                        return Poll::Ready(Ok(beyond));
                    }
                    return self.socket.poll_write_vectored(cx, bufs);
                }
                None => self.written = self.written.saturating_add(written),
            }
        }
    }
}

impl Socket {
    fn descriptor(&self) -> i32 {
        match self {
            Socket::Tcp(socket) => socket.as_raw_fd(),
            Socket::Unix(socket) => socket.as_raw_fd(),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, bufs) {
            // A plain write of one buffer costs the kernel less than a vectored one.
            (Socket::Tcp(socket), [buf]) => Pin::new(socket).poll_write(cx, buf),
            (Socket::Tcp(socket), bufs) => Pin::new(socket).poll_write_vectored(cx, bufs),
            (Socket::Unix(socket), [buf]) => Pin::new(socket).poll_write(cx, buf),
            (Socket::Unix(socket), bufs) => Pin::new(socket).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        let left = wire.ahead.get(wire.taken..).unwrap_or_default();
        if left.is_empty() {
            return match wire.reads {
                Reads::Direct => wire.socket.poll_read(cx, buf),
                Reads::Records => wire.poll_read_record(cx, buf),
            };
        }
        let now = left.get(..buf.remaining()).unwrap_or(left);
        buf.put_slice(now);
        wire.taken = wire.taken.saturating_add(now.len());
        if wire.taken >= wire.ahead.len() {
            wire.taken = 0;
            wire.ahead.clear();
            wire.ahead.shrink_to(KEPT);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.gathered.len().saturating_add(buf.len()) <= GATHERED {
            self.gathered.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        self.poll_write_through(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().fold(0_usize, |sum, buf| sum.saturating_add(buf.len()));
        if self.gathered.len().saturating_add(length) <= GATHERED {
            bufs.iter().for_each(|buf| self.gathered.extend_from_slice(buf));
            return Poll::Ready(Ok(length));
        }
        self.poll_write_through(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting().is_empty() {
            ready!(self.poll_write_through(cx, &[]))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.socket.poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Sends the alert of a failed handshake. Does not wait for a socket that is not writable.
        let _ = Pin::new(self).poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        // Fails if the client is already gone.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Wire {
    fn id(&self) -> UniqueIDType {
        self.socket.descriptor()
    }
}

impl Ssl for Wire {}

impl Peek for Wire {}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        vec![Some(TimingDigest { established_ts: self.accepted, ..TimingDigest::default() })]
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.digest.clone())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn pair() -> (Wire, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (Wire::new(Socket::Unix(ours), None, Reads::Records), theirs)
    }

    #[tokio::test]
    async fn small_writes_are_coalesced_and_large_ones_keep_their_order() {
        let (mut wire, mut client) = pair();
        wire.write_all(b"head").await.expect("gathered");
        assert!(client.try_read(&mut [0; 9]).is_err(), "nothing has been sent");
        let large = vec![b'x'; 1_000_000];
        let writes = async {
            wire.write_all(&large).await.expect("written");
            wire.write_all(b"tail").await.expect("gathered");
            wire.flush().await.expect("written");
            drop(wire);
        };
        let mut read = Vec::new();
        let (_, length) = tokio::join!(writes, client.read_to_end(&mut read));
        assert_eq!(length.expect("all of it"), 1_000_008);
        assert!(read.starts_with(b"headxx") && read.ends_with(b"xtail"));
    }

    #[tokio::test]
    async fn buffered_bytes_are_sent_when_the_wire_is_dropped() {
        let (mut wire, mut client) = pair();
        wire.write_all(b"alert").await.expect("gathered");
        drop(wire);
        let mut read = String::new();
        client.read_to_string(&mut read).await.expect("all of it");
        assert_eq!(read, "alert");
    }

    #[tokio::test]
    async fn tls_record_is_read_whole_and_returned_in_pieces() {
        let (mut wire, mut client) = pair();
        client.write_all(&[b"head", &b"x".repeat(4000)[..], b"rest"].concat()).await.expect("sent");
        let mut piece = [0; 4];
        wire.read_exact(&mut piece).await.expect("a piece");
        assert_eq!((&piece, wire.ahead.len()), (b"head", 4004));
        wire.read_exact(&mut [0; 4000]).await.expect("a piece");
        wire.read_exact(&mut piece).await.expect("a piece");
        assert_eq!(&piece, b"rest");
        assert!(wire.ahead.is_empty() && wire.ahead.capacity() <= KEPT);
    }
}
