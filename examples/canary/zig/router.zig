//! A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

const std = @import("std");
const pointsman = @import("pointsman");

const config = pointsman.config;
const hash = pointsman.hash;
const Request = pointsman.Request;
const Route = pointsman.Route;

pub fn selectPeer(request: Request) !Route {
    const side = if (try wantsCanary(request)) "canary" else "stable";
    const address = try config.text(pointsman.print("/{s}", .{side}));
    return .{ .peer = .http(address), .note = side };
}

fn wantsCanary(request: Request) !bool {
    if (request.header("x-canary")) |choice| {
        if (std.mem.eql(u8, choice, "always")) return true;
        if (std.mem.eql(u8, choice, "never")) return false;
    }
    return hash.percent(try visitor(request)) < try config.number(f64, "/percent");
}

/// The session's cookie, or the client's address as long as there is none.
fn visitor(request: Request) ![]const u8 {
    const cookie = try config.textOr("/cookie", "session");
    return request.cookie(cookie) orelse request.clientIp();
}

const testing = pointsman.testing;

fn setPercent(percent: f64) void {
    testing.reset();
    testing.config(pointsman.print(
        \\{{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102", "percent": {d}}}
    , .{percent}));
}

fn isCanary(request: *testing.TestRequest) !bool {
    const route = try selectPeer(request.request());
    const is_canary = std.mem.eql(u8, route.note.?, "canary");
    try std.testing.expectEqualStrings(if (is_canary) "127.0.0.1:9102" else "127.0.0.1:9101", route.peer.address);
    return is_canary;
}

fn withSession(n: usize) *testing.TestRequest {
    return testing.get("/").header("cookie", pointsman.print("theme=dark; session={d}", .{n}));
}

test "the share is as configured" {
    setPercent(10);
    var canaries: usize = 0;
    for (0..10_000) |n| canaries += @intFromBool(try isCanary(withSession(n)));
    try std.testing.expect(canaries > 900 and canaries < 1100);
}

test "a larger share keeps those who were in" {
    for (0..1000) |n| {
        setPercent(10);
        const was_in = try isCanary(withSession(n));
        setPercent(20);
        try std.testing.expect(!was_in or try isCanary(withSession(n)));
    }
}

test "the header chooses outright" {
    setPercent(0);
    try std.testing.expect(try isCanary(testing.get("/").header("x-canary", "always")));
    setPercent(100);
    try std.testing.expect(!try isCanary(testing.get("/").header("x-canary", "never")));
}

test "without a cookie the address decides" {
    setPercent(50);
    var canaries: usize = 0;
    for (0..256) |n| {
        const address = pointsman.print("192.0.2.{d}", .{n});
        canaries += @intFromBool(try isCanary(testing.get("/").clientIp(address)));
    }
    try std.testing.expect(canaries > 64 and canaries < 192);
}

test "a missing percentage is named" {
    testing.reset();
    testing.config(
        \\{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}
    );
    try testing.expectFailure("config: `/percent` is missing", selectPeer(testing.get("/").request()));
}
