//! The root of a WebAssembly module: exports the author's `selectPeer` and, if there is one, `configure`, as the
//! canonical ABI has them. The build names it as the root; the author's file is the module `router`.

const std = @import("std");
const pointsman = @import("pointsman");
const router = @import("router");

const abi = pointsman.internal.abi;
const arena = pointsman.internal.arena;
const host = pointsman.internal.host;

const Decided = union(enum) { ok: pointsman.Decision, err: []const u8 };
const Configured = union(enum) { ok: void, err: []const u8 };

var decided: abi.Area(Decided) = .{};
var configured: abi.Area(Configured) = .{};

export fn @"select-peer"(handle: i32) [*]u8 {
    // The host has read the last answer long since.
    arena.reset();
    pointsman.internal.forget();
    const request: pointsman.Request = .{ .source = .{ .handle = handle } };
    const answer: Decided = if (pointsman.internal.answer.decision(router.selectPeer(request))) |decision|
        .{ .ok = decision }
    else |failure|
        .{ .err = pointsman.internal.message(failure) };
    request.source.giveBack();
    abi.store(Decided, &decided.bytes, answer);
    return &decided.bytes;
}

comptime {
    if (@hasDecl(router, "configure")) @export(&configure, .{ .name = "configure" });
}

/// The text is what `config.json` gives, so the author's function takes nothing.
fn configure(_: [*]const u8, _: usize) callconv(.c) [*]u8 {
    const answer: Configured = if (router.configure()) |_|
        .{ .ok = {} }
    else |failure|
        .{ .err = pointsman.internal.message(failure) };
    arena.keep();
    abi.store(Configured, &configured.bytes, answer);
    return &configured.bytes;
}

/// Where the host places values for the module.
export fn cabi_realloc(old: ?[*]u8, old_size: usize, alignment: usize, size: usize) [*]u8 {
    return arena.realloc(old, old_size, .fromByteUnits(alignment), size);
}

/// A bug in the module: its message goes to the tenant's log, and the decision fails.
pub const panic = std.debug.FullPanic(struct {
    fn panic(message: []const u8, _: ?usize) noreturn {
        host.log(.@"error", message);
        @trap();
    }
}.panic);

pub const std_options: std.Options = .{ .log_level = .debug, .logFn = logFn };

fn logFn(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    arguments: anytype,
) void {
    const prefix = if (scope == .default) "" else @tagName(scope) ++ ": ";
    pointsman.log.write(@field(pointsman.Level, level.asText()), prefix ++ format, arguments);
}
