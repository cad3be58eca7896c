//! The canonical ABI of the component model, for values in memory: where a type's parts lie, and how they are written
//! and read. Everything is derived from the Zig type:
//!
//! | Zig | WIT |
//! |---|---|
//! | `bool`, unsigned and signed integers | the same |
//! | `[]const u8` | `string` or `list<u8>` |
//! | `[]const T` | `list<T>` |
//! | `?T` | `option<T>` |
//! | `struct` | `record` or `tuple`; fields in the WIT's order |
//! | `packed struct(u8)` | `flags` |
//! | `enum` | `enum` |
//! | `union(enum)` | `variant` or `result` |
//!
//! Enums and variants of the contract have at most 256 cases, so a discriminant is one byte. A pointer has four, on
//! every machine: `tests/layout.zig` holds these layouts to those of wit-bindgen, natively.

const std = @import("std");
const memory = @import("memory.zig");
const types = @import("types.zig");

const pointer_size = 4;

/// Where a type's parts lie. (A type of its own, so that the compiler works it out once for each type.)
pub fn Layout(comptime T: type) type {
    return switch (@typeInfo(T)) {
        .void => Scalar(0),
        .bool, .@"enum" => Scalar(1),
        .int => |int| Scalar(int.bits / 8),
        .pointer => struct {
            pub const alignment = pointer_size;
            pub const size = 2 * pointer_size;
        },
        .optional => |optional| Cases(&.{optional.child}),
        .@"union" => |variant| Cases(variant.field_types),
        .@"struct" => |record| if (record.layout == .@"packed")
            Layout(record.backing_integer.?)
        else
            Record(record.field_types),
        else => @compileError(@typeName(T) ++ " has no counterpart in WIT"),
    };
}

fn Scalar(comptime bytes_of_it: usize) type {
    return struct {
        pub const alignment = @max(1, bytes_of_it);
        pub const size = bytes_of_it;
    };
}

fn Record(comptime fields: []const type) type {
    return struct {
        pub const alignment = largestAlignment(fields);
        pub const size = alignUp(offsets[fields.len], alignment);

        /// Where each field begins, and at last where the last one ends.
        pub const offsets: [fields.len + 1]usize = found: {
            var begins: [fields.len + 1]usize = undefined;
            var end = 0;
            for (fields, 0..) |Field, index| {
                begins[index] = alignUp(end, Layout(Field).alignment);
                end = begins[index] + Layout(Field).size;
            }
            begins[fields.len] = end;
            break :found begins;
        };
    };
}

/// An option, a variant or a result: one byte says which case it is.
fn Cases(comptime cases: []const type) type {
    return struct {
        pub const alignment = largestAlignment(cases);
        pub const size = alignUp(payload + largest, alignment);

        /// Where the case's value begins.
        pub const payload = alignUp(1, alignment);

        const largest = found: {
            var most = 0;
            for (cases) |Case| most = @max(most, Layout(Case).size);
            break :found most;
        };
    };
}

fn largestAlignment(comptime parts: []const type) usize {
    var most = 1;
    for (parts) |T| most = @max(most, Layout(T).alignment);
    return most;
}

fn alignUp(address: usize, to: usize) usize {
    return (address + to - 1) / to * to;
}

/// Room for a value.
pub fn Area(comptime T: type) type {
    return struct {
        bytes: [Layout(T).size]u8 align(Layout(T).alignment) = undefined,

        pub fn value(area: *const @This()) T {
            return load(T, &area.bytes);
        }
    };
}

/// Writes a value. Lists and strings are written where the value has them, or are allocated.
pub fn store(comptime T: type, to: [*]u8, value: T) void {
    switch (@typeInfo(T)) {
        .bool => to[0] = @intFromBool(value),
        .void => {},
        .int => integer(T, to).* = value,
        .@"enum" => to[0] = @backingInt(value),
        .pointer => |pointer| storeList(pointer.child, to, value),
        .optional => |optional| {
            to[0] = @intFromBool(value != null);
            if (value) |some| store(optional.child, to + Layout(T).payload, some);
        },
        .@"struct" => |record| if (record.layout == .@"packed")
            store(record.backing_integer.?, to, @bitCast(value))
        else inline for (record.field_names, record.field_types, 0..) |name, Field, field|
            store(Field, to + Layout(T).offsets[field], @field(value, name)),
        .@"union" => switch (value) {
            inline else => |case, tag| {
                to[0] = @backingInt(tag);
                store(@TypeOf(case), to + Layout(T).payload, case);
            },
        },
        else => unreachable,
    }
}

fn storeList(comptime Item: type, to: [*]u8, list: []const Item) void {
    const items: [*]const u8 = if (Item == u8 or Item == u16 or list.len == 0) bytes(Item, list) else items: {
        const items = memory.allocAligned(Layout(Item).alignment, Layout(Item).size * list.len);
        for (list, 0..) |item, index| store(Item, items + index * Layout(Item).size, item);
        break :items items;
    };
    integer(u32, to).* = @intCast(@intFromPtr(items));
    integer(u32, to + pointer_size).* = @intCast(list.len);
}

/// Where a list's items lie. An empty one may have any address in Zig; the host wants it within the memory.
pub fn bytes(comptime Item: type, list: []const Item) [*]const u8 {
    return if (list.len == 0) @ptrFromInt(Layout(Item).alignment) else @ptrCast(list.ptr);
}

/// Reads a value. Strings stay where they are; lists of anything larger than a byte are copied.
pub fn load(comptime T: type, from: [*]const u8) T {
    return switch (@typeInfo(T)) {
        .bool => from[0] != 0,
        .int => integer(T, @constCast(from)).*,
        .@"enum" => @fromBackingInt(@intCast(from[0])),
        .pointer => |pointer| loadList(pointer.child, from),
        .optional => |optional| if (from[0] == 0) null else load(optional.child, from + Layout(T).payload),
        .@"struct" => |record| {
            if (record.layout == .@"packed") return @bitCast(load(record.backing_integer.?, from));
            var value: T = undefined;
            inline for (record.field_names, record.field_types, 0..) |name, Field, field| {
                @field(value, name) = load(Field, from + Layout(T).offsets[field]);
            }
            return value;
        },
        .@"union" => |variant| {
            inline for (variant.field_names, variant.field_types, 0..) |name, Case, case| {
                if (from[0] == case) return @unionInit(T, name, load(Case, from + Layout(T).payload));
            }
            unreachable;
        },
        .void => {},
        else => unreachable,
    };
}

fn loadList(comptime Item: type, from: [*]const u8) []const Item {
    const address = load(u32, from);
    const len = load(u32, from + pointer_size);
    // An empty list may come with any address.
    if (len == 0) return &.{};
    const items: [*]const u8 = @ptrFromInt(address);
    if (Item == u8) return items[0..len];
    const list = memory.alloc(Item, len);
    for (list, 0..) |*item, index| item.* = load(Item, items + index * Layout(Item).size);
    return list;
}

fn integer(comptime T: type, at: [*]u8) *T {
    return @ptrCast(@alignCast(at));
}

test "offsets are those of the canonical ABI" {
    const Decided = union(enum) { ok: types.Decision, err: []const u8 };
    try std.testing.expectEqual(336, Layout(Decided).size);
    try std.testing.expectEqual(4, Layout(Decided).payload);
    try std.testing.expectEqual(4, Layout(types.Decision).payload);
    try std.testing.expectEqual([_]usize{ 0, 252, 300, 316, 328 }, Layout(types.Route).offsets);
    try std.testing.expectEqual([_]usize{ 0, 8, 80, 100, 124, 164, 184, 224, 240, 252 }, Layout(types.Peer).offsets);
    try std.testing.expectEqual([_]usize{ 0, 4, 12, 20 }, Layout(types.Response).offsets);
    try std.testing.expectEqual([_]usize{ 0, 4, 12, 13, 14, 18, 19, 20, 24, 32 }, Layout(types.Attempt).offsets);
    try std.testing.expectEqual(16, Layout(?i64).size);
}

test "stored values are loaded again" {
    const options: types.HttpOptions = .{
        .alpn = .h2h1,
        .h2_stream_window = 65_535,
        .quirks = .{ .keep_connection_nominated = true },
    };
    var area: Area(types.HttpOptions) = .{};
    store(types.HttpOptions, &area.bytes, options);
    try std.testing.expectEqual(2, area.bytes[0]);
    try std.testing.expectEqual(0b10, area.bytes[37]);
    try std.testing.expectEqual(options, area.value());
}
