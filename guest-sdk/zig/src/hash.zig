//! Hashes that stay: the same key gives the same result in every version of this SDK, on every machine.
//!
//! They spread keys evenly; they keep no secret. Everything builds on XXH64 with seed 0, so another program, or a module
//! in another language, gets the same results.

const std = @import("std");
const memory = @import("memory.zig");

const XxHash64 = std.hash.XxHash64;

/// A hash of a key: XXH64 with seed 0.
pub fn of(key: []const u8) u64 {
    return XxHash64.hash(0, key);
}

/// Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10` holds for a tenth of all keys, and for
/// these still when 10 becomes 20.
///
/// Two experiments that share keys should not share their tenth: put the experiment's name in the key.
pub fn percent(key: []const u8) f64 {
    // The upper 53 bits: an f64 holds them exactly.
    const position = @as(f64, @floatFromInt(of(key) >> 11)) / (1 << 53);
    return position * 100;
}

/// The node that a key belongs to. Null without nodes.
///
/// A consistent hash: when a node is removed, only its keys move; a new one takes its share and no other key
/// moves. The order of the nodes does not matter.
pub fn pick(key: []const u8, nodes: []const []const u8) ?[]const u8 {
    if (nodes.len == 0) return null;
    const key_hash = of(key);
    var best = nodes[0];
    for (nodes[1..]) |node| {
        if (isBefore(key_hash, node, best)) best = node;
    }
    return best;
}

/// All nodes in a key's own order, the first of them `pick`'s: where the key goes if the ones before fail.
pub fn rank(key: []const u8, nodes: []const []const u8) []const []const u8 {
    const ranked = memory.alloc([]const u8, nodes.len);
    @memcpy(ranked, nodes);
    std.sort.heap([]const u8, ranked, of(key), isBefore);
    return ranked;
}

/// Rendezvous hashing: each node draws a number for the key, XXH64 of its name with the key's hash as the seed, and the
/// highest wins. The name itself decides between equal numbers.
fn isBefore(key_hash: u64, one: []const u8, other: []const u8) bool {
    const of_one = XxHash64.hash(key_hash, one);
    const of_other = XxHash64.hash(key_hash, other);
    return if (of_one == of_other) std.mem.order(u8, one, other) == .gt else of_one > of_other;
}

const nodes_for_tests: [4][]const u8 = .{ "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80" };

fn testKey(n: usize) []const u8 {
    return memory.print("visitor-{d}", .{n});
}

// Computed with another implementation. They may never change: users' canaries and sessions hang on them.
test "results are those of every other version" {
    const nodes = nodes_for_tests;
    try std.testing.expectEqual(0xef46_db37_51d8_e999, of(""));
    try std.testing.expectEqual(0xd24e_c4f1_a98c_6e5b, of("a"));
    try std.testing.expectEqual(0xb7db_4eb3_b829_e88d, of("visitor-1"));
    try std.testing.expectEqual(71.81901158111611, percent("visitor-1"));
    try std.testing.expectEqualDeep(
        @as([]const []const u8, &.{ nodes[0], nodes[3], nodes[1], nodes[2] }),
        rank("visitor-1", &nodes),
    );
}

test "a tenth of the keys is below ten percent" {
    var below: usize = 0;
    for (0..10_000) |n| below += @intFromBool(percent(testKey(n)) < 10);
    try std.testing.expect(below > 900 and below < 1100);
}

test "only the keys of a lost node move" {
    for (0..10_000) |n| {
        const before = pick(testKey(n), &nodes_for_tests).?;
        const after = pick(testKey(n), nodes_for_tests[0..3]).?;
        try std.testing.expect(after.ptr == before.ptr or before.ptr == nodes_for_tests[3].ptr);
    }
}

test "the first in rank is the picked one, whatever the order" {
    var reversed = nodes_for_tests;
    std.mem.reverse([]const u8, &reversed);
    for (0..1000) |n| {
        const ranked = rank(testKey(n), &nodes_for_tests);
        try std.testing.expectEqual(ranked[0].ptr, pick(testKey(n), &reversed).?.ptr);
    }
    try std.testing.expectEqual(null, pick("visitor-1", &.{}));
}
