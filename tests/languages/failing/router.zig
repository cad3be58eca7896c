//! Makes a mistake, chosen by the request's path.

const std = @import("std");
const pointsman = @import("pointsman");

const Peer = pointsman.Peer;

var stable: []const u8 = "";

pub fn configure() !void {
    stable = try pointsman.config.text("/stable");
}

pub fn selectPeer(request: pointsman.Request) !Peer {
    const table = pointsman.allocator.alloc(Peer, 0) catch unreachable;
    const path = request.path();
    if (std.mem.eql(u8, path, "/panic")) @panic("the table is empty");
    if (std.mem.eql(u8, path, "/assert")) std.debug.assert(table.len > 0);
    if (std.mem.eql(u8, path, "/index")) return table[request.attempts().len + 3];
    if (std.mem.eql(u8, path, "/null")) return first(table).?;
    if (std.mem.eql(u8, path, "/exit")) std.process.abort();
    if (std.mem.eql(u8, path, "/memory")) return .http(try pointsman.allocator.alloc(u8, 1 << 27));
    if (std.mem.eql(u8, path, "/loop")) search(table);
    if (std.mem.eql(u8, path, "/recursion")) return .http(descend(&@as([16]u8, @splat(0))));
    if (std.mem.eql(u8, path, "/answer")) return .http("upstream.internal");
    const long: [300]u8 = @splat('k');
    if (std.mem.eql(u8, path, "/shared")) try pointsman.shared.set(&long, "", .{});
    return .http(stable);
}

fn first(table: []const Peer) ?Peer {
    return if (table.len > 0) table[0] else null;
}

fn search(table: []const Peer) void {
    var place: usize = 0;
    while (place >= table.len) place = (place + 1) % 8;
}

fn descend(above: []const u8) []const u8 {
    var here: [16]u8 = undefined;
    @memcpy(&here, above);
    here[0] +%= 1;
    const below = descend(&here);
    return below[here[0] % 2 ..];
}
