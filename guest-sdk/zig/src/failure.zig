//! Why a router gives no answer. A Zig error has no text, and the operator needs one: it is kept here until the error
//! reaches the host.

const std = @import("std");
const memory = @import("memory.zig");

pub const Error = error{Refused};

var text: []const u8 = "";

/// An error of the host's that has a text, and is not `Refused`, so that a router can tell it from others.
var noted: ?anyerror = null;
var noted_text: []const u8 = "";

/// An error with a text, which goes to the tenant's log, never to the client: `return fail("no shop `{s}`", .{name})`.
pub fn fail(comptime format: []const u8, arguments: anytype) Error {
    text = memory.print(format, arguments);
    return error.Refused;
}

/// Gives an error a text, until the next one gets one.
pub fn note(failure: anytype, words: []const u8) @TypeOf(failure) {
    noted = failure;
    noted_text = words;
    return failure;
}

/// The error of an earlier decision is none of this one's.
pub fn forget() void {
    noted = null;
}

/// The text of an error: that of `fail` or `note`, and the name of any other.
pub fn message(failure: anyerror) []const u8 {
    if (failure == error.Refused) return text;
    if (noted) |other| if (failure == other) return noted_text;
    return @errorName(failure);
}

test "an error has its text, or its name" {
    try std.testing.expectEqualStrings("no shop `x`", message(fail("no shop `{s}`", .{"x"})));
    try std.testing.expectEqualStrings("OutOfMemory", message(error.OutOfMemory));
    try std.testing.expectEqualStrings("it is full", message(note(error.Full, "it is full")));
    forget();
    try std.testing.expectEqualStrings("Full", message(error.Full));
}
