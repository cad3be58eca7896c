//! Statistics of upstreams from the tenant's own requests, and the results of health checks.
//!
//! In a native test, `testing.upstream` and `testing.group` set them.

const failure = @import("failure.zig");
const types = @import("types.zig");

const imported = @import("platform.zig").host.upstreams;

/// The statistics of an address, in a group or not.
pub fn get(address: []const u8) types.Upstream {
    return imported.get(address);
}

/// The members of a group that the operator defined, in its order.
pub fn group(name: []const u8) failure.Error![]const types.Upstream {
    return imported.group(name) orelse failure.fail("there is no group `{s}`; the operator defines it", .{name});
}
