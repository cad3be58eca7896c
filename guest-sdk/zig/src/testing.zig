//! Requests, configuration, log and all else that a host offers, for a plain `zig test`, without WebAssembly and without
//! a host:
//!
//! ```zig
//! test "the canary is for clients that request it" {
//!     pointsman.testing.reset();
//!     pointsman.testing.config(
//!         \\{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}
//!     );
//!     const request = pointsman.testing.get("https://shop.example/cart?x=1").header("x-canary", "1");
//!     const route = try selectPeer(request.request());
//!     try std.testing.expectEqualDeep(pointsman.Peer.http("127.0.0.1:9102"), route.peer);
//! }
//! ```
//!
//! What a test sets, and what a module leaves in the log and in `shared`, stays until `reset`. A mistake in a test, such
//! as configuration that is not JSON, is a panic.

const std = @import("std");
const failure = @import("failure.zig");
const host = @import("testing/host.zig");
const memory = @import("memory.zig");
const types = @import("types.zig");

const Request = @import("request.zig").Request;

pub const Line = host.Line;

/// Forgets all that was set, logged and kept.
pub fn reset() void {
    host.state = .{};
}

/// Sets the content of `config`: a JSON object. `{}` until then.
pub fn config(json: []const u8) void {
    const table = std.json.parseFromSliceLeaky(std.json.Value, memory.allocator, json, .{}) catch |problem|
        std.debug.panic("testing.config: `{s}` is no JSON: {s}", .{ json, @errorName(problem) });
    if (table != .object) std.debug.panic("testing.config: a module's configuration is an object, not `{s}`", .{json});
    host.state.table = table;
}

/// Sets the time that the module sees, in milliseconds since 1970-01-01 00:00 UTC; 2026-01-01 until then.
pub fn clock(ms: u64) void {
    host.state.now_ms = ms;
}

/// Sets what `random` gives next; after these, it gives 0.
pub fn random(values: []const u64) void {
    host.state.random = values;
}

/// Sets the statistics of an upstream.
pub fn upstream(known: types.Upstream) void {
    host.state.upstreams.put(memory.allocator, known.address, known) catch @panic("out of memory");
}

/// Sets the members of a group.
pub fn group(name: []const u8, members: []const types.Upstream) void {
    host.state.groups.put(memory.allocator, name, members) catch @panic("out of memory");
}

/// The lines logged since the last call.
pub fn logLines() []const Line {
    defer host.state.lines = .{};
    return host.state.lines.items;
}

/// Fails the test unless this is an error with that text, as the operator would read it.
pub fn expectFailure(expected: []const u8, result: anytype) !void {
    if (result) |value| {
        std.debug.print("expected the error `{s}`, found {any}\n", .{ expected, value });
        return error.TestUnexpectedResult;
    } else |problem| {
        try std.testing.expectEqualStrings(expected, failure.message(problem));
    }
}

/// `GET` of a URL, `https://shop.example/cart?x=1`, or of a path alone, `/cart`, for a client that names no host.
///
/// `https` gives the connection TLS with the host as its server name. The client is `192.0.2.1`, the listener `test`.
pub fn get(url: []const u8) *TestRequest {
    return of("GET", url);
}

/// The same with another method.
pub fn of(method: []const u8, url: []const u8) *TestRequest {
    const scheme, const rest = std.mem.cut(u8, url, "://") orelse .{ "http", url };
    const authority_end = std.mem.findAny(u8, rest, "/?") orelse rest.len;
    const authority = std.ascii.allocLowerString(memory.allocator, rest[0..authority_end]) catch
        @panic("out of memory");
    const target = rest[authority_end..];
    const path, const query = std.mem.cutScalar(u8, target, '?') orelse .{ target, null };
    const made = memory.alloc(TestRequest, 1);
    made[0] = .{ .recorded = .{
        .method = method,
        .scheme = scheme,
        .authority = authority,
        .path = if (path.len == 0) "/" else path,
        .query = query,
    } };
    if (std.mem.eql(u8, scheme, "https")) {
        const sni = std.mem.sliceTo(authority, ':');
        _ = made[0].tls(.{
            .sni = sni,
            .version = "TLSv1.3",
            .cipher = "TLS_AES_256_GCM_SHA384",
            .client_cert_sha256 = null,
        });
    }
    return &made[0];
}

/// A request made for a test: change it with these methods, then pass its `request()`.
pub const TestRequest = struct {
    recorded: host.Recorded,

    /// What a router takes.
    pub fn request(made: *TestRequest) Request {
        return .{ .source = .{ .recorded = &made.recorded } };
    }

    /// Adds a header.
    pub fn header(made: *TestRequest, name: []const u8, value: []const u8) *TestRequest {
        const lower = std.ascii.allocLowerString(memory.allocator, name) catch @panic("out of memory");
        made.recorded.headers.add(.{ .name = lower, .value = value });
        return made;
    }

    /// Sets the client's address.
    pub fn clientIp(made: *TestRequest, address: []const u8) *TestRequest {
        made.recorded.client_ip = address;
        return made;
    }

    /// Sets the listener's name.
    pub fn listener(made: *TestRequest, name: []const u8) *TestRequest {
        made.recorded.listener = name;
        return made;
    }

    /// Sets the facts about the client's TLS connection.
    pub fn tls(made: *TestRequest, facts: types.ClientTls) *TestRequest {
        made.recorded.tls = facts;
        return made;
    }

    /// Adds a failed attempt, such as `refused`. Its number is set here.
    pub fn attempt(made: *TestRequest, failed: types.Attempt) *TestRequest {
        var numbered = failed;
        numbered.number = @intCast(made.recorded.attempts.items.len + 1);
        made.recorded.attempts.add(numbered);
        return made;
    }
};

/// An attempt that failed because nothing listened on the address.
pub fn refused(address: []const u8) types.Attempt {
    return failedAttempt(address, .connect, .refused);
}

/// An attempt that failed because the connection timed out.
pub fn timedOut(address: []const u8) types.Attempt {
    return failedAttempt(address, .connect, .timeout);
}

/// An attempt that failed since the upstream closed the connection instead of answering.
pub fn closed(address: []const u8) types.Attempt {
    var failed = failedAttempt(address, .receive, .closed);
    failed.request_sent = true;
    return failed;
}

/// An attempt that failed since the upstream answered with this status.
pub fn status(address: []const u8, code: u16) types.Attempt {
    var failed = failedAttempt(address, .receive, .status);
    failed.status = code;
    failed.request_sent = true;
    return failed;
}

fn failedAttempt(address: []const u8, stage: types.Stage, what: types.Failure) types.Attempt {
    return .{
        .number = 1,
        .address = address,
        .stage = stage,
        .failure = what,
        .status = null,
        .reused_connection = false,
        .request_sent = false,
        .elapsed_ms = 1,
        .detail = "",
    };
}
