//! The values that a router may return.

const std = @import("std");
const types = @import("types.zig");

/// The answer as the host takes it, of a `Peer`, a `Route`, a `Response` or a `Decision`, or of an error or one of them.
pub fn decision(answer: anytype) anyerror!types.Decision {
    return switch (@TypeOf(answer)) {
        types.Peer => .{ .connect = .to(answer) },
        types.Route => .{ .connect = answer },
        types.Response => .{ .respond = answer },
        types.Decision => answer,
        else => |Answer| switch (@typeInfo(Answer)) {
            .error_union => decision(try answer),
            else => @compileError("`selectPeer` returns a Peer, a Route, a Response or a Decision, not " ++
                @typeName(Answer)),
        },
    };
}

test "each kind of answer is a decision" {
    const peer: types.Peer = .http("127.0.0.1:9101");
    const connect: types.Decision = .{ .connect = .{ .peer = peer } };
    const refused: error{Refused}!types.Peer = error.Refused;
    try std.testing.expectEqualDeep(connect, try decision(peer));
    try std.testing.expectEqualDeep(connect, try decision(types.Route.to(peer)));
    try std.testing.expectEqualDeep(connect, try decision(@as(anyerror!types.Decision, connect)));
    try std.testing.expectEqual(404, (try decision(types.Response{ .status = 404 })).respond.status);
    try std.testing.expectError(error.Refused, decision(refused));
}
