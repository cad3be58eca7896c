//! What the proxy itself saw of upstreams, in the tenant's own requests, and what its health checks found.
//!
//! In a native test, `testing.upstream` and `testing.group` set what is found here.

const failure = @import("failure.zig");
const types = @import("types.zig");

const seen = @import("platform.zig").host.upstreams;

/// What is known of an address, whether or not it is in a group.
pub fn get(address: []const u8) types.Upstream {
    return seen.get(address);
}

/// The members of a group that the operator defined, in its order.
pub fn group(name: []const u8) failure.Error![]const types.Upstream {
    return seen.group(name) orelse failure.fail("there is no group `{s}`; the operator defines it", .{name});
}
