//! Text out of what clients send: percent-encoding and UTF-8.

const std = @import("std");
const memory = @import("memory.zig");

/// What `+` stands for.
pub const Plus = enum { plus, space };

/// `%XX` becomes the byte XX, and invalid UTF-8 then becomes U+FFFD. A `%` without two hexadecimal digits stays.
pub fn decode(encoded: []const u8, plus: Plus) []const u8 {
    const is_plain = for (encoded) |byte| {
        if (byte == '%' or byte == '+' or byte >= 0x80) break false;
    } else true;
    if (is_plain) return encoded;

    const decoded = memory.alloc(u8, encoded.len);
    var len: usize = 0;
    var at: usize = 0;
    while (at < encoded.len) : (len += 1) {
        const escaped = if (encoded[at] == '%' and at + 2 < encoded.len) hexByte(encoded[at + 1 ..][0..2]) else null;
        if (escaped) |byte| {
            decoded[len] = byte;
            at += 3;
        } else {
            decoded[len] = if (encoded[at] == '+' and plus == .space) ' ' else encoded[at];
            at += 1;
        }
    }
    return lossy(decoded[0..len]);
}

/// Each maximal part that is not UTF-8 is replaced by U+FFFD.
pub fn lossy(bytes: []const u8) []const u8 {
    if (std.unicode.utf8ValidateSlice(bytes)) return bytes;
    return memory.print("{f}", .{std.unicode.fmtUtf8(bytes)});
}

fn hexByte(digits: *const [2]u8) ?u8 {
    const high = std.fmt.charToDigit(digits[0], 16) catch return null;
    const low = std.fmt.charToDigit(digits[1], 16) catch return null;
    return high << 4 | low;
}

fn expectDecoded(expected: []const u8, encoded: []const u8) !void {
    try std.testing.expectEqualStrings(expected, decode(encoded, .space));
}

test "escapes become bytes, and other text is kept" {
    try expectDecoded("", "");
    try expectDecoded("cart", "cart");
    try expectDecoded("café noir", "caf%C3%a9+noir");
    try expectDecoded("%", "%");
    try expectDecoded("%2", "%2");
    try expectDecoded("%+1% %zz", "%%2B1%%20%zz");
    try std.testing.expectEqualStrings("a+b", decode("a+b", .plus));
}

test "invalid UTF-8 is replaced, part by part" {
    try expectDecoded("\u{fffd}", "%FF");
    try expectDecoded("a\u{fffd}b\u{fffd}\u{fffd}", "a%E2%82b%C0%AF");
    try std.testing.expectEqualStrings("\u{fffd}x", lossy("\xf0\x9f\x92x"));
}
