//! Holds the layouts of `src/abi.zig` to those of the C structs that wit-bindgen makes of the same WIT, and so the fields
//! of `src/types.zig` to the contract: their order, their names and their types. It is all done by the compiler:
//!
//! ```sh
//! zig translate-c -target wasm32-freestanding ../../c/gen/router.h > c.zig
//! zig build-obj -target wasm32-freestanding -fno-emit-bin --dep c --dep pointsman \
//!     -Mroot=layout.zig -Mc=c.zig -Mpointsman=../src/pointsman.zig
//! ```

const std = @import("std");
const c = @import("c");
const pointsman = @import("pointsman");

const Layout = pointsman.internal.abi.Layout;

comptime {
    @setEvalBranchQuota(20_000);
    const Decided = union(enum) { ok: pointsman.Decision, err: []const u8 };
    check("result<decision, string>", Decided, c.router_result_decision_string_t);
    check("attempt", pointsman.Attempt, c.pointsman_router_types_attempt_t);
    check("client-tls", pointsman.ClientTls, c.pointsman_router_request_client_tls_t);
    check("upstream", pointsman.Upstream, c.pointsman_router_upstreams_upstream_t);
}

/// `C` is a C type as `zig translate-c` gives it; `path` names it in the compiler's error.
fn check(comptime path: []const u8, comptime T: type, comptime C: type) void {
    switch (@typeInfo(T)) {
        .bool, .int, .@"enum" => {},
        .pointer => |pointer| {
            const Items = @FieldType(C, "ptr");
            check(path ++ "[]", pointer.child, @typeInfo(Items).pointer.child);
        },
        .optional => |optional| {
            equal(path ++ ": offset of the value", Layout(T).payload, @offsetOf(C, "val"));
            check(path ++ "?", optional.child, @FieldType(C, "val"));
        },
        .@"union" => |variant| {
            equal(path ++ ": offset of the case", Layout(T).payload, @offsetOf(C, "val"));
            for (variant.field_names, variant.field_types) |name, Case| {
                if (Case != void) check(path ++ "." ++ name, Case, @FieldType(@FieldType(C, "val"), name));
            }
        },
        .@"struct" => |record| if (record.layout != .@"packed") {
            const names = @typeInfo(C).@"struct".field_names;
            equal(path ++ ": number of fields", record.field_names.len, names.len);
            for (record.field_names, record.field_types, names, 0..) |name, Field, c_name, field| {
                const in_wit = if (std.mem.eql(u8, name, "http_options")) "http" else name;
                if (T != pointsman.PortRange and !std.mem.eql(u8, in_wit, c_name))
                    @compileError(path ++ "." ++ name ++ " stands where the contract has " ++ c_name);
                equal(path ++ "." ++ name ++ ": offset", Layout(T).offsets[field], @offsetOf(C, c_name));
                check(path ++ "." ++ name, Field, @FieldType(C, c_name));
            }
        },
        else => @compileError(path),
    }
    // Last, so that an error names the innermost part that differs.
    equal(path ++ ": size", Layout(T).size, @sizeOf(C));
    equal(path ++ ": alignment", Layout(T).alignment, @alignOf(C));
}

fn equal(comptime what: []const u8, comptime ours: usize, comptime theirs: usize) void {
    if (ours != theirs) @compileError(std.fmt.comptimePrint("{s} is {d}, not {d}", .{ what, ours, theirs }));
}
