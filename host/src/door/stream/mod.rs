//! Enforces the door's rules on a client's connection. For HTTP/1 it passes on whole, checked heads, and never a byte
//! beyond the current message: later bytes wait here until the current request is answered. Every wait for the client
//! has a timeout.

mod body;
mod forward;
mod head;
mod write;

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use pingora::protocols::IO;
use pointsman_rules::request::Pace;
use pointsman_rules::request::http1::{Framer, HeadScanner};
use tokio::io::{AsyncRead, ReadBuf};

use crate::door::admission::AdmissionGuard;
use crate::door::clock::Clock;
use crate::door::connection::{HeadPhase, Phase};
use crate::door::farewell;
use crate::door::listener::Listener;
use crate::door::report::Reporter;

/// Bytes of a next request that are read while the current one is answered: the read shows whether the client is still
/// there. The rest stays in the kernel.
const READ_AHEAD: usize = 1024;

/// A connection over `S`, which is a socket or TLS.
pub struct DoorStream<S: IO + 'static> {
    /// None only while the stream is dropped.
    inner: Option<S>,
    listener: Arc<Listener>,
    phase: Arc<HeadPhase>,
    reporter: Arc<Reporter>,
    at: At,
    /// Bytes that were read and not passed on: an incomplete head, or data after the current message.
    held: BytesMut,
    /// A checked head that is being passed on.
    head: BytesMut,
    scanner: HeadScanner,
    empty_lines: usize,
    /// Deadline for the first byte, the rest of a head, or the next request.
    due: Instant,
    /// The first request has begun.
    begun: bool,
    body: Pace,
    sending: Pace,
    clock: Clock,
    sending_clock: Clock,
    /// The client has half-closed the connection: it sends no more.
    ended: bool,
    /// The socket failed or the client reads too slowly: nothing more is sent.
    broken: bool,
    written: u64,
    /// Counts the connection until its last byte has left.
    admitted: Option<AdmissionGuard>,
}

/// Position of the next byte in HTTP/1.
#[derive(Debug)]
enum At {
    Head,
    Body(Framer),
    /// The message is complete: further bytes belong to the next one.
    Complete,
    /// A tunnel, or HTTP/2: everything is passed on.
    Raw,
}

/// An admitted connection's listener, shared state and start time.
pub struct ConnectionContext {
    pub listener: Arc<Listener>,
    pub phase: Arc<HeadPhase>,
    pub reporter: Arc<Reporter>,
    pub admitted: AdmissionGuard,
    /// When it was accepted or, under TLS, when its handshake completed.
    pub at: Instant,
}

impl<S: IO + 'static> DoorStream<S> {
    pub fn new(inner: S, context: ConnectionContext) -> DoorStream<S> {
        let ConnectionContext { listener, phase, reporter, admitted, at } = context;
        DoorStream {
            inner: Some(inner),
            at: At::Head,
            held: BytesMut::new(),
            head: BytesMut::new(),
            scanner: HeadScanner::default(),
            empty_lines: 0,
            due: at + listener.config.first_byte_timeout,
            begun: false,
            body: listener.body_pace(),
            sending: listener.sending_pace(),
            clock: Clock::default(),
            sending_clock: Clock::default(),
            ended: false,
            broken: false,
            written: 0,
            admitted: Some(admitted),
            listener,
            phase,
            reporter,
        }
    }

    /// The phase of the current request, shared with the proxy.
    pub fn phase(&self) -> Arc<HeadPhase> {
        self.phase.clone()
    }

    /// From now on, passes on everything as it arrives.
    pub fn make_raw(&mut self) {
        self.at = At::Raw;
        self.phase.enter(Phase::Raw);
    }

    /// Reads at most `most` bytes into `held`. Returns how many arrived.
    fn poll_more(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let mut room = [const { MaybeUninit::uninit() }; 4096];
        let mut buf = ReadBuf::uninit(room.get_mut(..most).unwrap_or_default());
        ready!(self.poll_inner(cx, &mut buf))?;
        self.held.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads from the underlying connection and records its end or failure.
    fn poll_inner(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let Some(inner) = &mut self.inner else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let before = buf.filled().len();
        match ready!(Pin::new(inner).poll_read(cx, buf)) {
            Ok(()) => {
                self.ended = buf.filled().len() == before;
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                self.broken = true;
                Poll::Ready(Err(error))
            }
        }
    }

    /// Reads beyond a complete message, to notice a client that is gone or sends its next request.
    fn poll_beyond(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.held.len() < READ_AHEAD && !self.ended {
            match ready!(self.poll_more(cx, READ_AHEAD)) {
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    }

    /// Waits for the next request on the same connection.
    fn start_next(&mut self) {
        self.at = At::Head;
        self.due = Instant::now() + self.listener.config.keepalive_timeout;
    }

    fn inner(&self) -> Option<&S> {
        self.inner.as_ref()
    }
}

/// Passes on as many bytes as `buf` has room for. Frees an empty buffer's memory: otherwise a connection would keep
/// that of the largest head or piece it ever had.
fn hand_on(bytes: &mut BytesMut, buf: &mut ReadBuf<'_>) {
    let now = bytes.len().min(buf.remaining());
    buf.put_slice(&bytes.split_to(now));
    if bytes.is_empty() {
        *bytes = BytesMut::new();
    }
}

impl<S: IO + 'static> AsyncRead for DoorStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        if buf.remaining() == 0 {
            // A read of zero bytes from the connection would look like its end.
            return Poll::Ready(Ok(()));
        }
        if !stream.head.is_empty() {
            hand_on(&mut stream.head, buf);
            return Poll::Ready(Ok(()));
        }
        if matches!(stream.at, At::Complete) {
            match stream.phase.phase() {
                Phase::Idle => stream.start_next(),
                Phase::Raw => stream.at = At::Raw,
                Phase::Head | Phase::Request => {}
            }
        }
        match stream.at {
            At::Head => stream.poll_head(cx, buf),
            At::Body(_) => stream.poll_body(cx, buf),
            At::Complete => stream.poll_beyond(cx),
            At::Raw if stream.held.is_empty() => stream.poll_inner(cx, buf),
            At::Raw => {
                hand_on(&mut stream.held, buf);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: IO + 'static> Drop for DoorStream<S> {
    fn drop(&mut self) {
        let (Some(inner), Some(admitted)) = (self.inner.take(), self.admitted.take()) else { return };
        if self.broken {
            return;
        }
        let expects_more = match &self.at {
            // After a refused head, its client may still send the body.
            At::Head => self.phase.phase() == Phase::Request,
            At::Body(_) | At::Raw => true,
            At::Complete => !self.held.is_empty(),
        };
        let linger = if expects_more && !self.ended { self.listener.config.linger } else { Duration::ZERO };
        farewell::close(inner, linger, admitted);
    }
}

impl<S: IO + 'static> fmt::Debug for DoorStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorStream")
            .field("listener", &self.listener.name)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
