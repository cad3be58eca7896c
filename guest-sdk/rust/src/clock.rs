//! The time at which the decision began. It does not advance while the decision runs.
//!
//! In a native test, [`testing::clock`](crate::testing::clock) sets it.

/// Milliseconds since 1970-01-01 00:00 UTC.
pub fn now_ms() -> u64 {
    #[cfg(target_family = "wasm")]
    return crate::bindings::pointsman::router::clock::now_ms();
    #[cfg(not(target_family = "wasm"))]
    return crate::testing::now_ms();
}
