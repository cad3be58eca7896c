//! The request to be routed.

const std = @import("std");
const memory = @import("memory.zig");
const text = @import("text.zig");
const types = @import("types.zig");

const platform = @import("platform.zig").host;

/// A query parameter or a cookie.
pub const Pair = struct {
    name: []const u8,
    value: []const u8,
};

/// The request to be routed.
///
/// Nothing is copied in advance: each method calls the host, which records the reads. So read only what the
/// decision needs, and read it once.
pub const Request = struct {
    source: platform.Request,

    /// As sent, such as `GET`.
    pub fn method(request: Request) []const u8 {
        return request.source.method();
    }

    /// `https` if the client's connection has TLS, else `http`.
    pub fn scheme(request: Request) []const u8 {
        return request.source.scheme();
    }

    /// Host and, if the client named one, port, in lower case. Empty if the client sent none.
    pub fn authority(request: Request) []const u8 {
        return request.source.authority();
    }

    /// The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`.
    pub fn host(request: Request) []const u8 {
        const whole = request.authority();
        const name, const port = std.mem.cutScalarLast(u8, whole, ':') orelse return whole;
        // A colon within brackets belongs to an IPv6 address.
        return if (std.mem.findScalar(u8, port, ']') == null) name else whole;
    }

    /// The path as sent, percent-encoding untouched, without the query.
    pub fn path(request: Request) []const u8 {
        return request.source.path();
    }

    /// The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.` and
    /// `..` are unchanged.
    pub fn pathSegments(request: Request) []const []const u8 {
        var segments: memory.List([]const u8) = .{};
        var parts = std.mem.tokenizeScalar(u8, request.path(), '/');
        while (parts.next()) |segment| segments.add(text.decode(segment, .plus));
        return segments.items;
    }

    /// The part after the first `?`, as sent.
    pub fn query(request: Request) ?[]const u8 {
        return request.source.query();
    }

    /// The first query parameter of this name, percent-decoded, with `+` as a space.
    pub fn queryParam(request: Request, name: []const u8) ?[]const u8 {
        var params = Params.of(request);
        return first(&params, name);
    }

    /// All query parameters, percent-decoded, with `+` as a space.
    pub fn queryParams(request: Request) []const Pair {
        var params = Params.of(request);
        return all(&params);
    }

    /// The first value of a header, as sent.
    pub fn header(request: Request, name: []const u8) ?[]const u8 {
        return request.source.header(name);
    }

    /// The same as text: invalid UTF-8 is replaced by U+FFFD.
    pub fn headerText(request: Request, name: []const u8) ?[]const u8 {
        return request.source.headerText(name);
    }

    /// All values of a header, in order.
    pub fn headerValues(request: Request, name: []const u8) []const []const u8 {
        return request.source.headerValues(name);
    }

    /// All headers, names in lower case.
    pub fn headers(request: Request) []const types.Header {
        return request.source.headers();
    }

    /// The first cookie of this name.
    pub fn cookie(request: Request, name: []const u8) ?[]const u8 {
        var found = Cookies.of(request);
        return first(&found, name);
    }

    /// All cookies, in order, their values as sent; invalid UTF-8 is replaced by U+FFFD.
    pub fn cookies(request: Request) []const Pair {
        var found = Cookies.of(request);
        return all(&found);
    }

    /// The peer address of the client's connection, without port: `203.0.113.7` or `2001:db8::1`.
    pub fn clientIp(request: Request) []const u8 {
        return request.source.clientIp();
    }

    /// The name of the listener that took the connection.
    pub fn listener(request: Request) []const u8 {
        return request.source.listener();
    }

    /// Facts about the client's TLS connection. Null without TLS.
    pub fn tls(request: Request) ?types.ClientTls {
        return request.source.tls();
    }

    /// The failed attempts of this request, oldest first. Empty on the first call.
    pub fn attempts(request: Request) []const types.Attempt {
        return request.source.attempts();
    }
};

/// Walks through the query's parameters.
const Params = struct {
    parts: std.mem.TokenIterator(u8, .scalar),

    fn of(request: Request) Params {
        return .{ .parts = std.mem.tokenizeScalar(u8, request.query() orelse "", '&') };
    }

    fn next(params: *Params) ?Pair {
        const part = params.parts.next() orelse return null;
        const name, const value = std.mem.cutScalar(u8, part, '=') orelse .{ part, "" };
        return .{ .name = text.decode(name, .space), .value = text.decode(value, .space) };
    }
};

/// Walks through the cookies of all `cookie` headers.
const Cookies = struct {
    values: []const []const u8,
    parts: std.mem.SplitIterator(u8, .scalar) = std.mem.splitScalar(u8, "", ';'),

    fn of(request: Request) Cookies {
        return .{ .values = request.headerValues("cookie") };
    }

    fn next(cookies: *Cookies) ?Pair {
        while (true) {
            while (cookies.parts.next()) |part| {
                const name, const value = std.mem.cutScalar(u8, part, '=') orelse continue;
                return .{ .name = trim(name), .value = trim(value) };
            }
            if (cookies.values.len == 0) return null;
            cookies.parts = std.mem.splitScalar(u8, text.lossy(cookies.values[0]), ';');
            cookies.values = cookies.values[1..];
        }
    }

    fn trim(part: []const u8) []const u8 {
        return std.mem.trim(u8, part, " \t");
    }
};

fn first(pairs: anytype, name: []const u8) ?[]const u8 {
    while (pairs.next()) |pair| {
        if (std.mem.eql(u8, pair.name, name)) return pair.value;
    }
    return null;
}

fn all(pairs: anytype) []const Pair {
    var list: memory.List(Pair) = .{};
    while (pairs.next()) |pair| list.add(pair);
    return list.items;
}
