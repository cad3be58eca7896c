//! Reads and checks the heads of requests, and refuses them: HTTP/1 heads here; HTTP/2 is recognized by its preface.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use pingora::protocols::IO;
use pointsman_rules::request::http1::{Framer, HeadScanner, check_head};
use pointsman_rules::request::{Body, Refusal};
use tokio::io::ReadBuf;

use super::{DoorStream, hand_on};
use crate::door::connection::Phase;
use crate::door::report::CloseReason;

/// The start of every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Empty lines before a request line that are skipped (RFC 9112, section 2.2).
const EMPTY_LINES: usize = 8;

/// The result of a read for a head.
enum HeadRead {
    /// A whole head, which was passed on.
    Whole,
    /// Bytes, or the end of the connection; bytes are kept in `held`.
    Held,
}

impl<S: IO + 'static> DoorStream<S> {
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
        self.reporter.closed(if self.begun { CloseReason::Idle } else { CloseReason::Silent });
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

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
}
