//! Passes on the body of an HTTP/1 request, up to its end and no further, and refuses one that comes too slowly.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use pingora::protocols::IO;
use pointsman_rules::request::Refusal;
use pointsman_rules::request::http1::{Advance, Framer, HeadScanner};
use tokio::io::ReadBuf;

use super::{At, DoorStream, hand_on};

impl<S: IO + 'static> DoorStream<S> {
    pub(super) fn start_body(&mut self, framer: Framer) {
        self.scanner = HeadScanner::default();
        self.empty_lines = 0;
        self.body = self.listener.body_pace();
        self.at = if framer.is_done() { At::Complete } else { At::Body(framer) };
    }

    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
}
