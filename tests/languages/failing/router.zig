//! Fails as bugs do, by the request's path.

const std = @import("std");
const pointsman = @import("pointsman");

pub fn selectPeer(request: pointsman.Request) !pointsman.Peer {
    const table = pointsman.allocator.alloc(pointsman.Peer, 0) catch unreachable;
    const path = request.path();
    if (std.mem.eql(u8, path, "/panic")) @panic("the table is empty");
    if (std.mem.eql(u8, path, "/index")) return table[request.attempts().len + 3];
    const long: [300]u8 = @splat('k');
    if (std.mem.eql(u8, path, "/shared")) try pointsman.shared.set(&long, "", .{});
    return .http(try pointsman.config.text("/stable"));
}
