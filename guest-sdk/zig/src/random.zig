//! Randomness: unpredictable numbers. For a choice that one visitor keeps, see `hash`.
//!
//! In a native test, `testing.random` sets the numbers.

const std = @import("std");

const host = @import("platform.zig").host;

/// 64 random bits.
pub fn bits() u64 {
    return host.randomBits();
}

/// A number from 0 to `end`, without `end` itself; 0 if that is 0. One is as likely as another, but for one part in
/// 2^64 / `end`.
pub fn below(end: usize) usize {
    // The upper half of a 128-bit product is below `end`.
    return @intCast(std.math.mulWide(u64, bits(), end) >> 64);
}

/// One of them. Null if there is none.
pub fn pick(comptime T: type, items: []const T) ?T {
    return if (items.len == 0) null else items[below(items.len)];
}

/// Two different ones, in random order. Null if there are fewer.
pub fn pickTwo(comptime T: type, items: []const T) ?[2]T {
    if (items.len < 2) return null;
    const first = below(items.len);
    const second = below(items.len - 1);
    return .{ items[first], items[if (second < first) second else second + 1] };
}
