//! The time at which the decision began. It does not advance while the decision runs.
//!
//! In a native test, `testing.clock` sets it.

const host = @import("platform.zig").host;

/// Milliseconds since 1970-01-01 00:00 UTC.
pub fn nowMs() u64 {
    return host.nowMs();
}
