//! A timer that a connection reuses for all of its deadlines.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// Wakes a task at a deadline. Its timer is reset at once only for an earlier deadline: most deadlines of a connection
/// are never reached, and a timer that fires too early costs less than one that is reset with each request.
#[derive(Debug, Default)]
pub struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Whether the deadline has passed. If not, the task is woken when it does.
    pub fn is_over(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        let due = due.into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if tokio::time::Instant::now() >= due {
                return true;
            }
            sleep.as_mut().reset(due);
        }
        false
    }

    /// Waits for the deadline.
    pub async fn over(&mut self, due: Instant) {
        std::future::poll_fn(|cx| if self.is_over(due, cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadline_may_move_forwards_and_backwards() {
        let start = tokio::time::Instant::now();
        let at = |seconds| (start + Duration::from_secs(seconds)).into_std();
        let mut clock = Clock::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(!clock.is_over(at(60), &mut cx));
        clock.over(at(10)).await;
        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(!clock.is_over(at(20), &mut cx) && !clock.is_over(at(40), &mut cx));
        clock.over(at(30)).await;
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
