//! Why a router gives no answer. A Zig error has no text, and the operator needs one: it is kept here until the error
//! reaches the host.

const std = @import("std");
const memory = @import("memory.zig");

pub const Error = error{Refused};

var text: []const u8 = "";

/// An error with a text, which goes to the tenant's log, never to the client: `return fail("no shop `{s}`", .{name})`.
pub fn fail(comptime format: []const u8, arguments: anytype) Error {
    text = memory.print(format, arguments);
    return error.Refused;
}

/// The text of an error: that of `fail`, and the name of any other.
pub fn message(failure: anyerror) []const u8 {
    return if (failure == error.Refused) text else @errorName(failure);
}

test "an error has its text, or its name" {
    try std.testing.expectEqualStrings("no shop `x`", message(fail("no shop `{s}`", .{"x"})));
    try std.testing.expectEqualStrings("OutOfMemory", message(error.OutOfMemory));
}
