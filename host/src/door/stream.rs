//! Enforces the door's rules on a client's connection. For HTTP/1 it passes on whole, checked heads, and never a byte
//! beyond the current message: later bytes wait here until the current request is answered. Every wait for the client
//! has a timeout.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use pointsman_rules::request::http1::{Advance, Framer, HeadScanner, check_head};
use pointsman_rules::request::{Body, Pace, Refusal};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::door::admission::Admitted;
use crate::door::clock::Clock;
use crate::door::connection::{HeadPhase, Phase};
use crate::door::farewell;
use crate::door::listener::Listener;
use crate::door::report::{Closed, Reporter};

/// The start of every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a next request that are read while the current one is answered: the read shows whether the client is still
/// there. The rest stays in the kernel.
const READ_AHEAD: usize = 1024;

/// Empty lines before a request line that are skipped (RFC 9112, section 2.2).
const EMPTY_LINES: usize = 8;

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
    admitted: Option<Admitted>,
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
    pub admitted: Admitted,
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

    /// Whether the connection begins with HTTP/2's preface. Returns false at the first byte that differs.
    pub async fn is_http2(&mut self) -> io::Result<bool> {
        std::future::poll_fn(|cx| {
            loop {
                if !PREFACE.starts_with(self.held.get(..PREFACE.len()).unwrap_or(&self.held)) {
                    return Poll::Ready(Ok(false));
                }
                if self.held.len() >= PREFACE.len() {
                    return Poll::Ready(Ok(true));
                }
                match self.poll_more(cx, 4096) {
                    Poll::Pending if self.is_overdue(cx) => return Poll::Ready(Err(self.overdue())),
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(false)),
                    Poll::Ready(Ok(_)) => self.begin(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                }
            }
        })
        .await
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

    /// The first byte of a head has arrived.
    fn begin(&mut self) {
        if self.phase.phase() == Phase::Idle {
            self.phase.enter(Phase::Head);
            self.begun = true;
            self.due = Instant::now() + self.listener.config.head_timeout;
        }
    }

    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        self.clock.is_over(self.due, cx)
    }

    /// The client is late. In the middle of a head it gets 408; otherwise the connection ends without an answer.
    fn overdue(&mut self) -> io::Error {
        if self.phase.phase() == Phase::Head {
            return self.refuse(Refusal::HeadTimeout(self.listener.config.head_timeout));
        }
        self.reporter.closed(if self.begun { Closed::Idle } else { Closed::Silent });
        io::ErrorKind::TimedOut.into()
    }

    /// Answers a refused head. The connection ends with the answer.
    fn refuse(&mut self, refusal: Refusal) -> io::Error {
        let body = if self.held.starts_with(b"HEAD ") { Body::Omitted } else { Body::Sent };
        let answer = refusal.response(self.listener.answers, body);
        self.phase.refuse(refusal);
        self.reporter.refused(refusal, answer.len());
        self.phase.enter(Phase::Request);
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(inner) = &mut self.inner {
            // The socket buffer of an idle connection has room for all of it. Gathered bytes leave on drop.
            let _ = Pin::new(inner).poll_write(&mut cx, &answer);
        }
        io::Error::new(io::ErrorKind::InvalidData, refusal)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.held.is_empty() {
                match self.take_head() {
                    Ok(true) => {
                        hand_on(&mut self.head, buf);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(false) => {}
                    Err(refusal) => return Poll::Ready(Err(self.refuse(refusal))),
                }
            }
            let read = if self.held.is_empty() && self.empty_lines == 0 {
                self.poll_whole_head(cx, buf)
            } else {
                self.poll_more(cx, 4096).map_ok(|_| HeadRead::Held)
            };
            match read {
                Poll::Ready(Ok(HeadRead::Whole)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(HeadRead::Held)) if self.ended => return Poll::Ready(Ok(())),
                // An empty line after a body does not begin the next request.
                Poll::Ready(Ok(HeadRead::Held)) if self.held.iter().all(|byte| b"\r\n".contains(byte)) => {}
                Poll::Ready(Ok(HeadRead::Held)) => self.begin(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if self.is_overdue(cx) => return Poll::Ready(Err(self.overdue())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads into the caller's buffer: most heads arrive in one piece and are checked in place.
    fn poll_whole_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<HeadRead>> {
        let before = buf.filled().len();
        ready!(self.poll_inner(cx, buf))?;
        let arrived = buf.filled_mut().get_mut(before..).unwrap_or_default();
        if arrived.first().is_some_and(|first| !b"\r\n".contains(first))
            && arrived.len() <= self.listener.config.max_head_bytes
            && let Ok(Some(end)) = HeadScanner::default().end(arrived)
            && let Some((head, rest)) = arrived.split_at_mut_checked(end)
            && let Ok(checked) = check_head(head)
            && checked.rewritten.is_none()
        {
            self.held.extend_from_slice(rest);
            self.begin();
            self.start_body(Framer::new(checked.framing));
            buf.set_filled(before.saturating_add(end));
            return Poll::Ready(Ok(HeadRead::Whole));
        }
        self.held.extend_from_slice(arrived);
        buf.set_filled(before);
        Poll::Ready(Ok(HeadRead::Held))
    }

    /// Moves the head from `held` to `head`, if it is complete.
    fn take_head(&mut self) -> Result<bool, Refusal> {
        while self.held.first().is_some_and(|byte| b"\r\n".contains(byte)) && self.scanner.is_new() {
            let line = if self.held.starts_with(b"\r\n") { 2 } else { 1 };
            if self.held.len() < 2 && self.held.first() == Some(&b'\r') {
                return Ok(false);
            }
            self.empty_lines = self.empty_lines.saturating_add(1);
            if line == 1 || self.empty_lines > EMPTY_LINES {
                return Err(Refusal::RequestLine("there are empty lines before it"));
            }
            self.held.advance(line);
        }
        let limit = self.listener.config.max_head_bytes;
        let end = self.scanner.end(&self.held)?;
        if end.unwrap_or(self.held.len()) > limit {
            return Err(match self.scanner.past_request_line() {
                true => Refusal::HeadTooLarge { limit },
                false => Refusal::TargetTooLong { limit },
            });
        }
        let Some(end) = end else { return Ok(false) };
        let mut head = self.held.split_to(end);
        let checked = match check_head(&mut head) {
            Ok(checked) => checked,
            Err(refusal) => {
                // `refuse` omits the body of its answer to a HEAD request, so it needs the request line.
                self.held = head;
                return Err(refusal);
            }
        };
        if self.held.is_empty() {
            // Otherwise the connection would keep the memory of its largest head.
            self.held = BytesMut::new();
        }
        self.head = checked.rewritten.map_or(head, |rewritten| rewritten.as_slice().into());
        self.begin();
        self.start_body(Framer::new(checked.framing));
        Ok(true)
    }

    fn start_body(&mut self, framer: Framer) {
        self.scanner = HeadScanner::default();
        self.empty_lines = 0;
        self.body = self.listener.body_pace();
        self.at = if framer.is_done() { At::Complete } else { At::Body(framer) };
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let before = buf.filled().len();
            if self.held.is_empty() {
                match self.poll_inner(cx, buf) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return self.wait_for_body(cx),
                }
            } else {
                hand_on(&mut self.held, buf);
            }
            let At::Body(framer) = &mut self.at else { return Poll::Ready(Ok(())) };
            let arrived = buf.filled_mut().get_mut(before..).unwrap_or_default();
            if arrived.is_empty() {
                // The connection ended in the middle of a body.
                return Poll::Ready(Ok(()));
            }
            self.body.moved(arrived.len(), Instant::now);
            self.phase.take_body();
            match framer.advance(arrived) {
                Ok(Advance { consumed, kept }) => {
                    if let Some(beyond) = arrived.get(consumed..).filter(|beyond| !beyond.is_empty()) {
                        let mut held = BytesMut::from(beyond);
                        held.unsplit(std::mem::take(&mut self.held));
                        self.held = held;
                    }
                    if framer.is_done() {
                        self.at = At::Complete;
                    }
                    buf.set_filled(before.saturating_add(kept));
                    if kept > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(refusal) => {
                    buf.set_filled(before);
                    return Poll::Ready(Err(self.refuse_body(refusal)));
                }
            }
        }
    }

    fn wait_for_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.phase.await_body();
        let due = self.body.wait(Instant::now());
        // Once its response has begun, a client may send as slowly as it likes: the two may be a bidirectional stream.
        match due.filter(|_| !self.phase.is_answered()) {
            Some(due) if self.clock.is_over(due, cx) => {
                let (grace, rate) = (self.listener.config.body_timeout, self.listener.config.body_rate);
                Poll::Ready(Err(self.refuse_body(Refusal::BodyTimeout { grace, rate })))
            }
            _ => Poll::Pending,
        }
    }

    /// Refuses the body. The proxy answers, since it has the request's head.
    fn refuse_body(&mut self, refusal: Refusal) -> io::Error {
        self.phase.refuse(refusal);
        self.reporter.refused_body(refusal);
        io::Error::new(io::ErrorKind::InvalidData, refusal)
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

    fn after_write(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.sending.moved(bytes, Instant::now);
                self.written = self.written.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                self.reporter.written(bytes);
            }
            Poll::Ready(Err(_)) => self.broken = true,
            Poll::Pending => {
                if let Some(error) = self.is_too_slow_a_reader(cx) {
                    return Poll::Ready(Err(error));
                }
            }
        }
        result
    }

    fn is_too_slow_a_reader(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        let due = self.sending.wait(Instant::now())?;
        if !self.sending_clock.is_over(due, cx) {
            return None;
        }
        self.broken = true;
        self.reporter.closed(Closed::Sending);
        Some(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly (listener.send_timeout_ms)"))
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

/// The result of a read for a head.
enum HeadRead {
    /// A whole head, which was passed on.
    Whole,
    /// Bytes, or the end of the connection; bytes are kept in `held`.
    Held,
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

impl<S: IO + 'static> AsyncWrite for DoorStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut *self;
        let Some(inner) = &mut stream.inner else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let result = Pin::new(inner).poll_write(cx, buf);
        stream.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = &mut *self;
        let Some(inner) = &mut stream.inner else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let result = Pin::new(inner).poll_write_vectored(cx, bufs);
        stream.after_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut *self;
        let Some(inner) = &mut stream.inner else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let result = Pin::new(inner).poll_flush(cx);
        if result.is_pending() {
            return stream.is_too_slow_a_reader(cx).map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        Pin::new(inner).poll_shutdown(cx)
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

/// Pingora's own detection of HTTP/2's preface is not used: see `is_http2`.
impl<S: IO + 'static> Peek for DoorStream<S> {}

#[async_trait]
impl<S: IO + 'static> Shutdown for DoorStream<S> {
    /// Does nothing: dropping the stream closes the connection, with a lingering close if the client may still send.
    async fn shutdown(&mut self) {}
}

impl<S: IO + 'static> fmt::Debug for DoorStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorStream")
            .field("listener", &self.listener.name)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
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
