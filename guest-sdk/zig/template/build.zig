//! For `zig build test` and for editors. `pointsman build` makes the module, and does not need this file.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const pointsman = b.createModule(.{ .root_source_file = b.path("pointsman/src/pointsman.zig") });
    const router = b.createModule(.{
        .root_source_file = b.path("router.zig"),
        .target = b.graph.host,
        .imports = &.{.{ .name = "pointsman", .module = pointsman }},
    });
    const tests = b.addRunArtifact(b.addTest(.{ .root_module = router }));
    b.step("test", "Run the tests of the router").dependOn(&tests.step);
}
