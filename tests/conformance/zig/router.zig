//! The routing job of `tests/conformance`, in Zig.

const std = @import("std");
const pointsman = @import("pointsman");
const peer = @import("peer.zig");

const config = pointsman.config;
const fail = pointsman.fail;
const print = pointsman.print;
const shared = pointsman.shared;

const Decision = pointsman.Decision;
const Pair = pointsman.Pair;
const Request = pointsman.Request;
const Response = pointsman.Response;
const Route = pointsman.Route;
const Text = std.ArrayList(u8);

const allocator = pointsman.allocator;

var configured: struct { bytes: usize = 0, calls: u32 = 0 } = .{};

pub fn configure() !void {
    const json = config.json();
    if (std.mem.find(u8, json, "\"refuse\"") != null) return fail("refused as told", .{});
    configured.bytes = json.len;
    configured.calls += 1;
}

const Part = enum {
    peer,
    echo,
    attempts,
    failover,
    canary,
    hash,
    config,
    shared,
    upstreams,
    clock,
    random,
    log,
    respond,
    pass,
    @"error",
    configured,
};

pub fn selectPeer(request: Request) !Decision {
    var segments = std.mem.splitScalar(u8, request.path(), '/');
    _ = segments.next();
    const name = segments.next() orelse "";
    const params = request.queryParams();
    const part = std.meta.stringToEnum(Part, name) orelse return fail("unknown part {s}", .{name});
    return switch (part) {
        .peer => .{ .connect = try peer.route(request, params) },
        .echo => .{ .respond = try echo(request) },
        .attempts => plain(try attempts(request)),
        .failover => failover(request),
        .canary => .{ .connect = try canary(request) },
        .hash => plain(try hashes(params)),
        .config => plain(try configuration(params)),
        .shared => plain(try keep(params)),
        .upstreams => plain(try seen(params)),
        .clock => plain(ok(pointsman.clock.nowMs() == pointsman.clock.nowMs() and
            pointsman.clock.nowMs() > 1_600_000_000_000)),
        .random => plain(ok(pointsman.random.bits() != pointsman.random.bits())),
        .log => writeLog(params),
        .respond => .{ .respond = try respond(params) },
        .pass => .pass,
        .@"error" => for (params) |param| {
            if (isNamed(param, "text")) return fail("{s}", .{param.value});
        } else fail("", .{}),
        .configured => plain(print("configured {d} {d}\n", .{ configured.bytes, configured.calls })),
    };
}

fn plain(lines: []const u8) Decision {
    return .{ .respond = .text(200, lines) };
}

fn ok(is_ok: bool) []const u8 {
    return if (is_ok) "ok\n" else "wrong\n";
}

fn isNamed(param: Pair, name: []const u8) bool {
    return std.mem.eql(u8, param.name, name);
}

fn orDash(value: anytype) []const u8 {
    return if (value) |some| print("{d}", .{some}) else "-";
}

pub fn bad(param: Pair) pointsman.Error {
    return fail("bad value for {s}: {s}", .{ param.name, param.value });
}

fn echo(request: Request) !Response {
    var body: Text = .empty;
    try body.print(allocator, "method {s}\nscheme {s}\n", .{ request.method(), request.scheme() });
    try body.print(allocator, "authority {s}\nhost {s}\n", .{ request.authority(), request.host() });
    try body.print(allocator, "path {s}\n", .{request.path()});
    for (request.pathSegments()) |segment| try body.print(allocator, "segment {s}\n", .{segment});
    try body.print(allocator, "query {s}\n", .{request.query() orelse "-"});
    for (request.queryParams()) |param| try body.print(allocator, "param {s}={s}\n", .{ param.name, param.value });
    try body.print(allocator, "client-ip {s}\nlistener {s}\n", .{ request.clientIp(), request.listener() });
    if (request.tls()) |tls| {
        const certificate = if (tls.client_cert_sha256) |digest| print("{x}", .{digest}) else "-";
        const facts = .{ tls.sni orelse "-", tls.version, tls.cipher, certificate };
        try body.print(allocator, "tls {s} {s} {s} {s}\n", facts);
    } else try body.print(allocator, "tls -\n", .{});
    for (request.headers()) |header| try body.print(allocator, "header {s}:{s}\n", .{ header.name, header.value });
    for (request.cookies()) |cookie| try body.print(allocator, "cookie {s}={s}\n", .{ cookie.name, cookie.value });

    var response: Response = .text(200, body.items);
    for (request.headerValues("x-echo")) |value| response.addHeader("x-echoed", value);
    if (request.header("x-echo")) |value| response.addHeader("x-first", value);
    if (request.headerText("x-echo")) |text| response.addHeader("x-text", text);
    return response;
}

fn attempts(request: Request) ![]const u8 {
    var lines: Text = .empty;
    for (request.attempts()) |attempt| {
        const reused = if (attempt.reused_connection) "reused" else "new";
        const sent = if (attempt.request_sent) "sent" else "unsent";
        try lines.print(allocator, "{d} {s} {s} {s} {s} {s} {s} {d} {s}\n", .{
            attempt.number,         attempt.address, attempt.stage.name(), attempt.failure.name(),
            orDash(attempt.status), reused,          sent,                 attempt.elapsed_ms,
            attempt.detail,
        });
    }
    return lines.items;
}

fn failover(request: Request) !Decision {
    const failed = request.attempts();
    if (failed.len > 0) {
        const last = failed[failed.len - 1];
        pointsman.log.warn("{s} failed: {s}", .{ last.address, last.failure.name() });
    }
    const upstreams = try config.texts("/upstreams");
    if (failed.len < upstreams.len) {
        return .{ .connect = .{ .peer = .http(upstreams[failed.len]), .retry = .{ .on_status = &.{ 502, 503 } } } };
    }
    var sorry: Response = .text(503, "no upstream is left\n");
    sorry.addHeader("retry-after", "30");
    return .{ .respond = sorry };
}

fn canary(request: Request) !Route {
    const visitor = request.cookie("session") orelse request.clientIp();
    const is_canary = pointsman.hash.percent(visitor) < try config.number(f64, "/percent");
    const note, const pointer = if (is_canary) .{ "canary", "/upstreams/1" } else .{ "stable", "/upstreams/0" };
    return .{ .peer = .http(try config.text(pointer)), .note = note };
}

fn hashes(params: []const Pair) ![]const u8 {
    const nodes = try config.texts("/upstreams");
    var lines: Text = .empty;
    for (params) |param| {
        if (!isNamed(param, "key")) continue;
        const key = param.value;
        const permille: u32 = @intFromFloat(pointsman.hash.percent(key) * 10);
        const ranked = try std.mem.join(allocator, ",", pointsman.hash.rank(key, nodes));
        try lines.print(allocator, "{x:0>16} {d} {s}\n", .{ pointsman.hash.of(key), permille, ranked });
    }
    return lines.items;
}

fn configuration(params: []const Pair) ![]const u8 {
    var lines: Text = .empty;
    try lines.print(allocator, "{s}\n", .{config.json()});
    for (params) |param| {
        if (!isNamed(param, "pointer")) continue;
        const json = config.get(param.value) orelse "-";
        const text = config.text(param.value) catch "-";
        try lines.print(allocator, "{s} {s}\n", .{ json, text });
    }
    return lines.items;
}

const Call = enum { add, @"add-ttl", counter, get, set, swap, delete };

fn keep(params: []const Pair) ![]const u8 {
    var lines: Text = .empty;
    for (params) |param| {
        const line = call(param) catch |failure| switch (failure) {
            error.Refused => return failure,
            error.Full => "error full",
            error.TooLong => "error too-long",
            error.OtherKind => "error other-kind",
            error.Overflow => "error overflow",
            error.Other => "error other",
        };
        try lines.print(allocator, "{s}\n", .{line});
    }
    return lines.items;
}

fn call(param: Pair) (shared.Error || pointsman.Error)![]const u8 {
    var parts = std.mem.splitScalar(u8, param.value, ':');
    const key = parts.first();
    switch (std.meta.stringToEnum(Call, param.name) orelse return bad(param)) {
        .add => {
            const amount = try number(i64, param, parts.rest());
            return print("add {d}", .{try shared.add(key, amount, .{})});
        },
        .@"add-ttl" => {
            const amount = try number(i64, param, parts.next() orelse "");
            const ttl_ms = try number(u32, param, parts.rest());
            return print("add {d}", .{try shared.add(key, amount, .{ .ttl_ms = ttl_ms })});
        },
        .counter => return print("counter {s}", .{orDash(shared.counter(param.value))}),
        .get => return print("get {s}", .{shared.get(param.value) orelse "-"}),
        .set => {
            if (parts.peek() == null) return bad(param);
            try shared.set(key, parts.rest(), .{});
            return "set";
        },
        .swap => {
            const expected = parts.next() orelse return bad(param);
            if (parts.peek() == null) return bad(param);
            const there = if (expected.len == 0) null else expected;
            return print("swap {}", .{try shared.compareAndSet(key, there, parts.rest(), .{})});
        },
        .delete => {
            shared.delete(param.value);
            return "delete";
        },
    }
}

fn number(comptime N: type, param: Pair, digits: []const u8) pointsman.Error!N {
    return std.fmt.parseInt(N, digits, 10) catch bad(param);
}

fn seen(params: []const Pair) ![]const u8 {
    var lines: Text = .empty;
    for (params) |param| {
        if (isNamed(param, "get")) {
            try addUpstream(&lines, pointsman.upstreams.get(param.value));
        } else if (isNamed(param, "group")) {
            if (pointsman.upstreams.group(param.value)) |members| {
                for (members) |member| try addUpstream(&lines, member);
            } else |_| try lines.print(allocator, "no group {s}\n", .{param.value});
        }
    }
    return lines.items;
}

fn addUpstream(lines: *Text, upstream: pointsman.Upstream) !void {
    const latency = orDash(upstream.latency_us);
    const figures = .{ upstream.address, @tagName(upstream.health), upstream.in_flight, latency, upstream.failures };
    try lines.print(allocator, "{s} {s} {d} {s} {d}\n", figures);
}

fn writeLog(params: []const Pair) Decision {
    for (params) |param| {
        const level = std.meta.stringToEnum(pointsman.Level, param.name) orelse continue;
        pointsman.log.write(level, "{s}", .{param.value});
    }
    return .pass;
}

fn respond(params: []const Pair) !Response {
    var response: Response = .{ .status = 200 };
    for (params) |param| {
        if (isNamed(param, "status")) {
            response.status = try number(u16, param, param.value);
        } else if (isNamed(param, "header")) {
            const name, const value = std.mem.cutScalar(u8, param.value, ':') orelse return bad(param);
            response.addHeader(name, value);
        } else if (isNamed(param, "body")) {
            response.body = param.value;
        }
    }
    return response;
}
