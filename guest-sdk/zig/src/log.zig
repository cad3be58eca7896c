//! The tenant's log. Lines of `std.log` go there too.
//!
//! In a native test the lines are kept for `testing.logLines`.

const std = @import("std");
const memory = @import("memory.zig");
const types = @import("types.zig");

const host = @import("platform.zig").host;

/// Writes a line at level `trace`.
pub fn trace(comptime format: []const u8, arguments: anytype) void {
    write(.trace, format, arguments);
}

/// Writes a line at level `debug`.
pub fn debug(comptime format: []const u8, arguments: anytype) void {
    write(.debug, format, arguments);
}

/// Writes a line at level `info`.
pub fn info(comptime format: []const u8, arguments: anytype) void {
    write(.info, format, arguments);
}

/// Writes a line at level `warn`.
pub fn warn(comptime format: []const u8, arguments: anytype) void {
    write(.warn, format, arguments);
}

/// Writes a line at level `error`.
pub fn err(comptime format: []const u8, arguments: anytype) void {
    write(.@"error", format, arguments);
}

/// Writes a line. Beyond the tenant's `limits.log_bytes` a decision's lines are cut.
pub fn write(level: types.Level, comptime format: []const u8, arguments: anytype) void {
    const line = memory.print(format, arguments);
    host.log(level, line);
    memory.allocator.free(line);
}
