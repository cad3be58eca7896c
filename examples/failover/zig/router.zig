//! Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

const std = @import("std");
const pointsman = @import("pointsman");

const config = pointsman.config;
const log = pointsman.log;
const Decision = pointsman.Decision;
const Request = pointsman.Request;
const Response = pointsman.Response;
const Route = pointsman.Route;

pub fn selectPeer(request: Request) !Decision {
    const upstreams = try config.texts("/upstreams");
    const failed = request.attempts();
    if (failed.len > 0) {
        const last = failed[failed.len - 1];
        log.warn("{s} failed: {s}", .{ last.address, last.failure.name() });
    }
    return if (failed.len < upstreams.len)
        .{ .connect = to(upstreams[failed.len]) }
    else
        .{ .respond = sorry };
}

fn to(upstream: []const u8) Route {
    return .{
        // The next upstream is at hand, so this one need not be waited for.
        .peer = .{ .address = upstream, .timeouts = .{ .connect_ms = 500 } },
        .retry = .{ .on_status = &.{ 502, 503 } },
    };
}

const sorry: Response = .{
    .status = 503,
    .headers = &.{
        .{ .name = "retry-after", .value = "30" },
        .{ .name = "content-type", .value = "text/plain; charset=utf-8" },
    },
    .body = "We are being repaired. Please try again in half a minute.\n",
};

const testing = pointsman.testing;

fn expectDecision(expected: Decision, request: *testing.TestRequest) !void {
    testing.reset();
    testing.config(
        \\{"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]}
    );
    try std.testing.expectEqualDeep(expected, try selectPeer(request.request()));
}

test "the first upstream is preferred" {
    try expectDecision(.{ .connect = to("127.0.0.1:9101") }, testing.get("/"));
}

test "the second follows when the first fails" {
    const request = testing.get("/").attempt(testing.refused("127.0.0.1:9101"));
    try expectDecision(.{ .connect = to("127.0.0.1:9102") }, request);
    const lines: []const testing.Line = &.{.{ .level = .warn, .message = "127.0.0.1:9101 failed: refused" }};
    try std.testing.expectEqualDeep(lines, testing.logLines());
}

test "when all have failed the module answers" {
    const request = testing.get("/")
        .attempt(testing.timedOut("127.0.0.1:9101"))
        .attempt(testing.status("127.0.0.1:9102", 503));
    try expectDecision(.{ .respond = sorry }, request);
}
