//! Waiting for events without guessing how long they take.

use std::time::{Duration, Instant};

/// Longest wait for an event that must happen. Much longer than a busy machine needs; a test that reaches it fails.
pub const LONGEST: Duration = Duration::from_secs(20);

/// Polls until `probe` returns a value.
///
/// # Panics
/// After 20 seconds, naming `what`.
#[track_caller]
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    poll(what.to_owned(), async move || probe(), caller)
}

/// The same for an asynchronous probe.
#[track_caller]
pub fn eventually_async<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    poll(what.to_owned(), probe, caller)
}

async fn poll<T>(
    what: String,
    mut probe: impl AsyncFnMut() -> Option<T>,
    caller: &'static std::panic::Location<'static>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(start.elapsed() < LONGEST, "{caller}: waited {LONGEST:?} for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
