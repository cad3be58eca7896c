//! State that the tenant's modules keep between decisions: counters and small values.
//!
//! They live in the proxy's memory, belong to the tenant, and are lost when it restarts. Their size is bounded by the
//! tenant's `quota.shared_bytes`: an error is not unusual, and a good module handles it.
//!
//! A key is at most 256 bytes, a value at most 16,384. In a native test, `testing.clock` sets the time.

const failure = @import("failure.zig");
const store = @import("platform.zig").host.shared;

pub const Error = store.Error;

pub const Options = struct {
    /// The time after which an entry expires, from its creation. Null: never.
    ttl_ms: ?u32 = null,
};

/// Adds to a counter, which is created with 0 if it is absent, and returns the sum. A counter keeps the TTL of
/// its creation, so one with a TTL counts the events within that time.
pub fn add(key: []const u8, amount: i64, options: Options) Error!i64 {
    return store.add(key, amount, options.ttl_ms) catch |problem| named(problem);
}

/// A counter. Null if there is none.
pub fn counter(key: []const u8) ?i64 {
    return store.counter(key);
}

/// A value. Null if there is none.
pub fn get(key: []const u8) ?[]const u8 {
    return store.get(key);
}

/// Creates or replaces a value.
pub fn set(key: []const u8, value: []const u8, options: Options) Error!void {
    return store.set(key, value, options.ttl_ms) catch |problem| named(problem);
}

/// Creates or replaces a value if the current one is as expected; null: if it is absent. Returns whether it was.
pub fn compareAndSet(key: []const u8, expected: ?[]const u8, value: []const u8, options: Options) Error!bool {
    return store.compareAndSet(key, expected, value, options.ttl_ms) catch |problem| named(problem);
}

/// Removes a counter or a value.
pub fn delete(key: []const u8) void {
    store.delete(key);
}

/// The error, whose text for the log has the contract's name for it.
fn named(problem: Error) Error {
    return failure.note(problem, switch (problem) {
        error.Full => "shared: full",
        error.TooLong => "shared: too-long",
        error.OtherKind => "shared: other-kind",
        error.Overflow => "shared: overflow",
        error.Other => "shared: other",
    });
}
