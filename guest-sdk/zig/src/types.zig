//! The records of the contract: `wit/0.1/types.wit`, `request.wit` and `upstreams.wit`.
//!
//! Fields are in the WIT's order and have its names, with `_` for `-`; `abi.zig` derives from them what the host
//! reads. Units, limits and what the host refuses are said in the WIT. What has a default here may be left out.

const std = @import("std");
const memory = @import("memory.zig");

// --- The answer ----------------------------------------------------------------------------------------------------

/// What to do with the request.
pub const Decision = union(enum) {
    /// Connect to a peer and forward the request.
    connect: Route,
    /// Answer the client at once, without an upstream.
    respond: Response,
    /// No opinion: the tenant's next module decides.
    pass,
};

/// Where the request goes, and how it is changed.
pub const Route = struct {
    peer: Peer,
    rewrite: Rewrite = .{},
    retry: RetryPolicy = .{},
    /// A remark for the access log, such as the name of the rule that matched. At most 256 bytes.
    note: ?[]const u8 = null,

    /// To a peer, the request as the client sent it, retries as the tenant's limits have it.
    pub fn to(peer: Peer) Route {
        return .{ .peer = peer };
    }
};

/// A response from the module itself.
pub const Response = struct {
    /// 200 to 599.
    status: u16,
    headers: []const Header = &.{},
    body: []const u8 = "",

    /// With a body of plain text.
    pub fn text(status: u16, body: []const u8) Response {
        return .{
            .status = status,
            .headers = &.{.{ .name = "content-type", .value = "text/plain; charset=utf-8" }},
            .body = body,
        };
    }

    /// With a body of JSON, which is sent unchanged.
    pub fn json(status: u16, body: []const u8) Response {
        return .{
            .status = status,
            .headers = &.{.{ .name = "content-type", .value = "application/json" }},
            .body = body,
        };
    }

    /// Adds a header.
    pub fn addHeader(response: *Response, name: []const u8, value: []const u8) void {
        append(Header, &response.headers, .{ .name = name, .value = value });
    }
};

/// One header.
pub const Header = struct {
    name: []const u8,
    /// Any bytes that a field value may hold.
    value: []const u8,
};

// --- The peer ------------------------------------------------------------------------------------------------------

/// An upstream, and how to connect to it. Unset fields are left to the tenant's configuration, or off. A wrong value
/// is refused by the host, which names the field; it is never ignored.
pub const Peer = struct {
    /// `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`.
    address: []const u8,
    /// Null: plain HTTP.
    tls: ?Tls = null,
    /// Null: connect straight to `address`.
    connect_proxy: ?ConnectProxy = null,
    /// The local end of the connection. Needs a grant.
    bind_to: ?BindTo = null,
    timeouts: Timeouts = .{},
    tcp_keepalive: ?TcpKeepalive = null,
    /// `http` in the WIT.
    http_options: HttpOptions = .{},
    socket: SocketOptions = .{},
    /// Keeps connections apart that are equal otherwise: they are shared only within one value.
    isolation: ?[]const u8 = null,

    /// Plain HTTP/1.1.
    pub fn http(address: []const u8) Peer {
        return .{ .address = address };
    }

    /// HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, say in `tls.sni` which
    /// name to expect.
    pub fn https(address: []const u8) Peer {
        return .{ .address = address, .tls = .{} };
    }
};

/// TLS to the upstream.
pub const Tls = struct {
    /// The server name to send and to check. Null: the name in the peer's address.
    sni: ?[]const u8 = null,
    /// Less than `full` needs a grant.
    verify: Verify = .full,
    /// A second name that the certificate may carry.
    alternative_cn: ?[]const u8 = null,
    /// The operator's CA bundle of this name, instead of the system's roots.
    ca: ?[]const u8 = null,
    /// The operator's client certificate of this name.
    client_cert: ?[]const u8 = null,
    /// Key exchange groups to offer, best first: `X25519:P-256`.
    curves: ?[]const u8 = null,
    /// Whether to send a second key share with a post-quantum one. BoringSSL only.
    second_key_share: ?bool = null,
};

/// How far the upstream's certificate is checked.
pub const Verify = enum {
    /// The chain and the name.
    full,
    /// The chain only.
    chain_only,
    /// Nothing: anybody may answer.
    none,
};

/// An HTTP proxy that opens a tunnel to the peer by CONNECT.
pub const ConnectProxy = struct {
    address: []const u8,
    /// Added to the CONNECT request.
    headers: []const Header = &.{},

    /// Adds a header to the CONNECT request, such as `proxy-authorization`.
    pub fn addHeader(proxy: *ConnectProxy, name: []const u8, value: []const u8) void {
        append(Header, &proxy.headers, .{ .name = name, .value = value });
    }
};

/// The local end of the connection.
pub const BindTo = struct {
    /// `ip` or `ip:port`. Null: any.
    address: ?[]const u8 = null,
    /// Null: the system's range.
    port_range: ?PortRange = null,
    /// Whether to take a port outside the range when none in it is free.
    fallback: bool = false,
};

/// Both ends included.
pub const PortRange = struct { first: u16, last: u16 };

/// In milliseconds, 1 to 86,400,000. Null: the tenant's `upstream` defaults.
pub const Timeouts = struct {
    /// To establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS handshake.
    connect_ms: ?u32 = null,
    /// To establish the connection with all that belongs to it.
    total_connect_ms: ?u32 = null,
    /// Between two reads of the response.
    read_ms: ?u32 = null,
    /// For one write of the request.
    write_ms: ?u32 = null,
    /// How long the connection is kept for reuse. 0: not at all.
    idle_ms: ?u32 = null,
};

/// TCP keepalive probes.
pub const TcpKeepalive = struct {
    /// Idle time before the first probe, in seconds.
    idle_s: u32,
    /// Time between probes, in seconds.
    interval_s: u32,
    /// Unanswered probes after which the connection is given up.
    count: u32,
    /// How long sent data may stay unacknowledged, in milliseconds. 0: the system's default.
    user_timeout_ms: u32 = 0,
};

pub const HttpOptions = struct {
    alpn: Alpn = .h1,
    /// Concurrent streams on one HTTP/2 connection.
    max_h2_streams: ?u32 = null,
    /// Time between HTTP/2 pings on a connection, in milliseconds. Null: no pings.
    h2_ping_interval_ms: ?u32 = null,
    /// Initial HTTP/2 receive window of a stream, in bytes.
    h2_stream_window: ?u32 = null,
    /// Initial HTTP/2 receive window of the connection, in bytes.
    h2_connection_window: ?u32 = null,
    upgrade: Upgrade = .websocket,
    quirks: Quirks = .{},
};

/// The HTTP version to speak.
pub const Alpn = enum {
    h1,
    /// Without TLS: prior knowledge.
    h2,
    /// HTTP/2 if the upstream agrees, else HTTP/1.1. Only with TLS.
    h2h1,
};

/// Which HTTP/1.1 upgrades are forwarded.
pub const Upgrade = enum { websocket, any, deny };

/// Departures from the HTTP standard for upstreams that need them.
pub const Quirks = packed struct(u8) {
    keep_hop_by_hop: bool = false,
    keep_connection_nominated: bool = false,
    accept_malformed_connection: bool = false,
    accept_invalid_content_length: bool = false,
    _: u4 = 0,
};

pub const SocketOptions = struct {
    /// Differentiated services code point, 0 to 63.
    dscp: ?u8 = null,
    /// Size of the receive buffer, in bytes.
    tcp_recv_buf: ?u32 = null,
    /// Send the first bytes with the SYN (RFC 7413).
    tcp_fast_open: bool = false,
};

// --- Changes to the request ----------------------------------------------------------------------------------------

/// Changes to the request that the upstream receives. Applied in the order of the fields.
pub const Rewrite = struct {
    /// `host` or `host:port`. Null: the client's.
    authority: ?[]const u8 = null,
    /// Starts with `/`, percent-encoded. Null: the client's.
    path_and_query: ?[]const u8 = null,
    /// Removed, all values.
    remove_headers: []const []const u8 = &.{},
    /// Set: replaces all values of that name.
    set_headers: []const Header = &.{},
    /// Added after the existing values.
    add_headers: []const Header = &.{},

    /// Removes all values of a header.
    pub fn removeHeader(rewrite: *Rewrite, name: []const u8) void {
        append([]const u8, &rewrite.remove_headers, name);
    }

    /// Replaces all values of a header. A name may be set once.
    pub fn setHeader(rewrite: *Rewrite, name: []const u8, value: []const u8) void {
        append(Header, &rewrite.set_headers, .{ .name = name, .value = value });
    }

    /// Adds a value to those that a header has.
    pub fn addHeader(rewrite: *Rewrite, name: []const u8, value: []const u8) void {
        append(Header, &rewrite.add_headers, .{ .name = name, .value = value });
    }
};

/// The retries allowed after a failure. A module may restrict what the host allows, never extend it.
pub const RetryPolicy = struct {
    /// Attempts for this request, this one and all before it included. Null: the tenant's limit. 1: no retry.
    attempts: ?u32 = null,
    /// Statuses of the upstream that count as a failed attempt, each 500 to 599.
    on_status: []const u16 = &.{},
};

// --- What failed ---------------------------------------------------------------------------------------------------

/// An attempt of this request that failed.
pub const Attempt = struct {
    /// The first is 1.
    number: u32,
    /// The address that the module named.
    address: []const u8,
    stage: Stage,
    failure: Failure,
    /// The upstream's status if that is why the attempt failed, or the CONNECT proxy's if it refused.
    status: ?u16,
    /// Whether a pooled connection was used.
    reused_connection: bool,
    /// Whether bytes of the request may have reached the upstream.
    request_sent: bool,
    /// From the decision to the failure.
    elapsed_ms: u32,
    /// For logs, not for decisions: its text may change.
    detail: []const u8,
};

/// How far the attempt got.
pub const Stage = enum {
    resolve,
    connect,
    connect_proxy,
    tls,
    send,
    receive,
    other,

    /// As in the WIT: `connect-proxy`.
    pub fn name(stage: Stage) []const u8 {
        return switch (stage) {
            .connect_proxy => "connect-proxy",
            else => @tagName(stage),
        };
    }
};

/// The failure.
pub const Failure = enum {
    timeout,
    refused,
    @"unreachable",
    closed,
    certificate,
    protocol,
    proxy_refused,
    status,
    other,

    /// As in the WIT: `proxy-refused`.
    pub fn name(failure: Failure) []const u8 {
        return switch (failure) {
            .proxy_refused => "proxy-refused",
            else => @tagName(failure),
        };
    }
};

// --- What the host knows -------------------------------------------------------------------------------------------

/// Facts about the client's TLS connection.
pub const ClientTls = struct {
    /// The server name that the client sent, in lower case.
    sni: ?[]const u8,
    /// Such as `TLSv1.3`.
    version: []const u8,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    cipher: []const u8,
    /// SHA-256 of the client's certificate (DER), 32 bytes. Null if it sent none.
    client_cert_sha256: ?[]const u8,
};

/// What the proxy itself saw of an upstream.
pub const Upstream = struct {
    /// As in the call, or as in the group.
    address: []const u8,
    health: Health = .unknown,
    /// Attempts in flight, in this proxy.
    in_flight: u32 = 0,
    /// Time to the head of a response, in microseconds, averaged. Null before the first one.
    latency_us: ?u32 = null,
    /// Consecutive failed attempts, if the last was within the past 30 seconds; else 0.
    failures: u32 = 0,
};

pub const Health = enum { unknown, healthy, unhealthy };

/// The level of a line in the tenant's log.
pub const Level = enum { trace, debug, info, warn, @"error" };

fn append(comptime T: type, list: *[]const T, item: T) void {
    const longer = memory.alloc(T, list.len + 1);
    @memcpy(longer[0..list.len], list.*);
    longer[list.len] = item;
    list.* = longer;
}

test "a plain peer leaves everything open" {
    const peer: Peer = .http("127.0.0.1:9101");
    try std.testing.expectEqualDeep(Peer{ .address = "127.0.0.1:9101" }, peer);
    try std.testing.expectEqualDeep(Tls{}, Peer.https("shop.example:443").tls.?);
    try std.testing.expectEqual(Verify.full, (Tls{}).verify);
    try std.testing.expectEqual(0, @as(u8, @bitCast(Quirks{})));
}

test "headers are added in order, to copies" {
    var response: Response = .text(503, "later");
    response.addHeader("retry-after", "30");
    try std.testing.expectEqual(1, Response.text(503, "later").headers.len);
    try std.testing.expectEqualStrings("content-type", response.headers[0].name);
    try std.testing.expectEqualStrings("30", response.headers[1].value);

    var rewrite: Rewrite = .{};
    rewrite.removeHeader("x-debug");
    rewrite.setHeader("x-shop", "north");
    rewrite.addHeader("via", "\xff");
    rewrite.addHeader("via", "b");
    try std.testing.expectEqualDeep(Rewrite{
        .remove_headers = &.{"x-debug"},
        .set_headers = &.{.{ .name = "x-shop", .value = "north" }},
        .add_headers = &.{ .{ .name = "via", .value = "\xff" }, .{ .name = "via", .value = "b" } },
    }, rewrite);
}

test "names are the contract's" {
    try std.testing.expectEqualStrings("connect-proxy", Stage.connect_proxy.name());
    try std.testing.expectEqualStrings("unreachable", Failure.@"unreachable".name());
    try std.testing.expectEqualStrings("proxy-refused", Failure.proxy_refused.name());
}
