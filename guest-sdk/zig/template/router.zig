//! {{name}}: requests with the header `x-canary` go to the canary, all others to the stable side.

const std = @import("std");
const pointsman = @import("pointsman");

const config = pointsman.config;
const Peer = pointsman.Peer;
const Request = pointsman.Request;
const Route = pointsman.Route;

pub fn selectPeer(request: Request) !Route {
    const side = if (request.header("x-canary") == null) "stable" else "canary";
    const address = try config.text(pointsman.print("/{s}", .{side}));
    return .{ .peer = .http(address), .note = side };
}

const testing = pointsman.testing;

test "the header leads to the canary" {
    testing.reset();
    testing.config(
        \\{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}
    );
    const canary = try selectPeer(testing.get("/").header("x-canary", "1").request());
    try std.testing.expectEqualDeep(Peer.http("127.0.0.1:9102"), canary.peer);
    const stable = try selectPeer(testing.get("/").request());
    try std.testing.expectEqualDeep(Peer.http("127.0.0.1:9101"), stable.peer);
}

test "a missing address is an error for the operator" {
    testing.reset();
    try testing.expectFailure("config: `/stable` is missing", selectPeer(testing.get("/").request()));
}
