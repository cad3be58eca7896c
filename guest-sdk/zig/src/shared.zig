//! What the tenant's modules keep from one decision to the next: counters and small values.
//!
//! They live in the proxy's memory, are the tenant's own, and are gone when it restarts. What fits is bounded by the
//! tenant's `quota.shared_bytes`: an error is nothing unusual, and a good module says what it does then.
//!
//! A key is at most 256 bytes, a value at most 16,384. In a native test, `testing.clock` sets the time.

const store = @import("platform.zig").host.shared;

pub const Error = store.Error;

pub const Options = struct {
    /// The time after which an entry is gone, from when it was made. Null: it stays.
    ttl_ms: ?u32 = null,
};

/// Adds to a counter, which is created with 0 if it is absent, and returns the sum. A counter keeps the TTL it was made
/// with, so one with a TTL counts what happens in that time.
pub fn add(key: []const u8, amount: i64, options: Options) Error!i64 {
    return store.add(key, amount, options.ttl_ms);
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
    return store.set(key, value, options.ttl_ms);
}

/// Makes or replaces a value if it is as expected until then; null: if it is not there. Tells whether it was.
pub fn compareAndSet(key: []const u8, expected: ?[]const u8, value: []const u8, options: Options) Error!bool {
    return store.compareAndSet(key, expected, value, options.ttl_ms);
}

/// Removes a counter or a value.
pub fn delete(key: []const u8) void {
    store.delete(key);
}
