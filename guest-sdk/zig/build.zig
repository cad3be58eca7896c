//! The package for projects whose `build.zig.zon` names it: `b.dependency("pointsman", .{}).module("pointsman")`.

const std = @import("std");

pub fn build(b: *std.Build) void {
    _ = b.addModule("pointsman", .{ .root_source_file = b.path("src/pointsman.zig") });
}
