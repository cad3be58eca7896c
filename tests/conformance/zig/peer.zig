//! The part `peer`: each parameter sets a field of the record.

const std = @import("std");
const pointsman = @import("pointsman");
const bad = @import("router.zig").bad;

const Pair = pointsman.Pair;
const Peer = pointsman.Peer;

const Name = enum {
    address,
    tls,
    sni,
    verify,
    @"alternative-cn",
    ca,
    @"client-cert",
    curves,
    @"second-key-share",
    @"connect-proxy",
    @"proxy-header",
    @"bind-address",
    @"bind-ports",
    @"bind-fallback",
    @"connect-ms",
    @"total-connect-ms",
    @"read-ms",
    @"write-ms",
    @"idle-ms",
    keepalive,
    alpn,
    @"max-h2-streams",
    @"h2-ping-interval-ms",
    @"h2-stream-window",
    @"h2-connection-window",
    upgrade,
    quirk,
    dscp,
    @"tcp-recv-buf",
    @"tcp-fast-open",
    isolation,
    authority,
    @"path-and-query",
    remove,
    set,
    add,
    copy,
    attempts,
    @"on-status",
    note,
};

pub fn route(request: pointsman.Request, params: []const Pair) pointsman.Error!pointsman.Route {
    var to: pointsman.Route = .to(.http(""));
    var statuses: std.ArrayList(u16) = .empty;
    const peer = &to.peer;
    const rewrite = &to.rewrite;
    for (params) |param| {
        const value = param.value;
        const name = std.meta.stringToEnum(Name, param.name) orelse
            return pointsman.fail("unknown parameter {s}", .{param.name});
        switch (name) {
            .address => peer.address = value,
            .tls => _ = tls(peer),
            .sni => tls(peer).sni = value,
            .verify => tls(peer).verify = try case(pointsman.Verify, param),
            .@"alternative-cn" => tls(peer).alternative_cn = value,
            .ca => tls(peer).ca = value,
            .@"client-cert" => tls(peer).client_cert = value,
            .curves => tls(peer).curves = value,
            .@"second-key-share" => tls(peer).second_key_share = try flag(param),
            .@"connect-proxy" => peer.connect_proxy = .{ .address = value },
            .@"proxy-header" => {
                const header = try split(param, ':');
                if (peer.connect_proxy == null) return bad(param);
                peer.connect_proxy.?.addHeader(header[0], header[1]);
            },
            .@"bind-address" => bindTo(peer).address = value,
            .@"bind-ports" => {
                const ports = try split(param, '-');
                const first = try number(u16, param, ports[0]);
                bindTo(peer).port_range = .{ .first = first, .last = try number(u16, param, ports[1]) };
            },
            .@"bind-fallback" => bindTo(peer).fallback = try flag(param),
            .@"connect-ms" => peer.timeouts.connect_ms = try number(u32, param, value),
            .@"total-connect-ms" => peer.timeouts.total_connect_ms = try number(u32, param, value),
            .@"read-ms" => peer.timeouts.read_ms = try number(u32, param, value),
            .@"write-ms" => peer.timeouts.write_ms = try number(u32, param, value),
            .@"idle-ms" => peer.timeouts.idle_ms = try number(u32, param, value),
            .keepalive => peer.tcp_keepalive = try keepalive(param),
            .alpn => peer.http_options.alpn = try case(pointsman.Alpn, param),
            .@"max-h2-streams" => peer.http_options.max_h2_streams = try number(u32, param, value),
            .@"h2-ping-interval-ms" => peer.http_options.h2_ping_interval_ms = try number(u32, param, value),
            .@"h2-stream-window" => peer.http_options.h2_stream_window = try number(u32, param, value),
            .@"h2-connection-window" => peer.http_options.h2_connection_window = try number(u32, param, value),
            .upgrade => peer.http_options.upgrade = try case(pointsman.Upgrade, param),
            .quirk => switch (try case(Quirk, param)) {
                inline else => |quirk| @field(peer.http_options.quirks, @tagName(quirk)) = true,
            },
            .dscp => peer.socket.dscp = try number(u8, param, value),
            .@"tcp-recv-buf" => peer.socket.tcp_recv_buf = try number(u32, param, value),
            .@"tcp-fast-open" => peer.socket.tcp_fast_open = try flag(param),
            .isolation => peer.isolation = value,
            .authority => rewrite.authority = value,
            .@"path-and-query" => rewrite.path_and_query = value,
            .remove => rewrite.removeHeader(value),
            .set => {
                const header = try split(param, ':');
                rewrite.setHeader(header[0], header[1]);
            },
            .add => {
                const header = try split(param, ':');
                rewrite.addHeader(header[0], header[1]);
            },
            .copy => {
                const names = try split(param, ':');
                if (request.header(names[0])) |copied| rewrite.setHeader(names[1], copied);
            },
            .attempts => to.retry.attempts = try number(u32, param, value),
            .@"on-status" => {
                const status = try number(u16, param, value);
                statuses.append(pointsman.allocator, status) catch return bad(param);
            },
            .note => to.note = value,
        }
    }
    to.retry.on_status = statuses.items;
    return to;
}

fn tls(peer: *Peer) *pointsman.Tls {
    if (peer.tls == null) peer.tls = .{};
    return &peer.tls.?;
}

fn bindTo(peer: *Peer) *pointsman.BindTo {
    if (peer.bind_to == null) peer.bind_to = .{};
    return &peer.bind_to.?;
}

fn keepalive(param: Pair) pointsman.Error!pointsman.TcpKeepalive {
    var numbers: [4]u32 = undefined;
    var parts = std.mem.splitScalar(u8, param.value, ',');
    for (&numbers) |*one| one.* = try number(u32, param, parts.next() orelse return bad(param));
    if (parts.next() != null) return bad(param);
    return .{
        .idle_s = numbers[0],
        .interval_s = numbers[1],
        .count = numbers[2],
        .user_timeout_ms = numbers[3],
    };
}

fn number(comptime N: type, param: Pair, digits: []const u8) pointsman.Error!N {
    // `parseInt` would take a sign and underscores.
    for (digits) |digit| if (!std.ascii.isDigit(digit)) return bad(param);
    return std.fmt.parseInt(N, digits, 10) catch bad(param);
}

fn flag(param: Pair) pointsman.Error!bool {
    return try case(enum { false, true }, param) == .true;
}

/// The fields of `Quirks`.
const Quirk = enum {
    keep_hop_by_hop,
    keep_connection_nominated,
    accept_malformed_connection,
    accept_invalid_content_length,
};

/// A case by the contract's name: with `-` where Zig has `_`.
fn case(comptime Enum: type, param: Pair) pointsman.Error!Enum {
    inline for (@typeInfo(Enum).@"enum".field_names) |name| {
        const in_wit = comptime in_wit: {
            var copy: [name.len]u8 = name[0..name.len].*;
            std.mem.replaceScalar(u8, &copy, '_', '-');
            break :in_wit copy;
        };
        if (std.mem.eql(u8, param.value, &in_wit)) return @field(Enum, name);
    }
    return bad(param);
}

fn split(param: Pair, at: u8) pointsman.Error![2][]const u8 {
    const before, const after = std.mem.cutScalar(u8, param.value, at) orelse return bad(param);
    return .{ before, after };
}
