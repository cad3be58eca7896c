//! Writes to the client, and gives up on one that reads too slowly.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pingora::protocols::IO;
use tokio::io::AsyncWrite;

use super::DoorStream;
use crate::door::report::CloseReason;

impl<S: IO + 'static> DoorStream<S> {
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
        self.reporter.closed(CloseReason::Sending);
        Some(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly (listener.send_timeout_ms)"))
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
