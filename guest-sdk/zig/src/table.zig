//! The configuration as a type of the author's. `std.json` reads JSON into types too, but its errors name no value, and it
//! takes the text "20" for the number 20.

const std = @import("std");
const failure = @import("failure.zig");
const memory = @import("memory.zig");

const Error = failure.Error;
const Value = std.json.Value;

pub fn parse(comptime T: type, text: []const u8) Error!T {
    const value = std.json.parseFromSliceLeaky(Value, memory.allocator, text, .{}) catch |problem|
        return failure.fail("config: {s}", .{@errorName(problem)});
    return read(T, value, "");
}

/// The value at a pointer as a type.
fn read(comptime T: type, value: Value, pointer: []const u8) Error!T {
    if (T == Value) return value;
    switch (@typeInfo(T)) {
        .bool => return if (value == .bool) value.bool else wrong(pointer, value, "true or false"),
        .int => return integer(T, value) orelse wrong(pointer, value, std.fmt.comptimePrint(
            "a whole number from {d} to {d}",
            .{ std.math.minInt(T), std.math.maxInt(T) },
        )),
        .float => return switch (value) {
            .float => |number| @floatCast(number),
            .integer => |number| @floatFromInt(number),
            .number_string => |number| std.fmt.parseFloat(T, number) catch wrong(pointer, value, "a number"),
            else => wrong(pointer, value, "a number"),
        },
        .optional => |optional| return if (value == .null) null else try read(optional.child, value, pointer),
        .@"enum" => {
            if (value == .string) if (std.meta.stringToEnum(T, value.string)) |case| return case;
            return wrong(pointer, value, comptime "one of " ++ names(T));
        },
        .pointer => |list| {
            if (list.size != .slice) @compileError(@typeName(T) ++ " can't be read from the configuration");
            if (list.child == u8) return if (value == .string) value.string else wrong(pointer, value, "a text");
            if (value != .array) return wrong(pointer, value, "a list");
            const items = memory.alloc(list.child, value.array.items.len);
            for (items, value.array.items, 0..) |*item, element, index| {
                item.* = try read(list.child, element, memory.print("{s}/{d}", .{ pointer, index }));
            }
            return items;
        },
        .array => |list| {
            if (value != .array or value.array.items.len != list.len)
                return wrong(pointer, value, std.fmt.comptimePrint("a list of {d}", .{list.len}));
            var items: T = undefined;
            for (&items, value.array.items, 0..) |*item, element, index| {
                item.* = try read(list.child, element, memory.print("{s}/{d}", .{ pointer, index }));
            }
            return items;
        },
        .@"struct" => return if (comptime isMap(T)) map(T, value, pointer) else record(T, value, pointer),
        else => @compileError(@typeName(T) ++ " can't be read from the configuration"),
    }
}

fn integer(comptime T: type, value: Value) ?T {
    return switch (value) {
        .integer => |number| std.math.cast(T, number),
        .number_string => |number| std.fmt.parseInt(T, number, 10) catch null,
        else => null,
    };
}

/// A table whose keys are the fields.
fn record(comptime T: type, value: Value, pointer: []const u8) Error!T {
    if (value != .object) return wrong(pointer, value, "a table");
    const fields = @typeInfo(T).@"struct";
    var found: T = undefined;
    inline for (fields.field_names, fields.field_types, fields.field_attrs) |name, Field, attributes| {
        if (value.object.get(name)) |member| {
            @field(found, name) = try read(Field, member, below(pointer, name));
        } else if (attributes.defaultValue(Field)) |default| {
            @field(found, name) = default;
        } else {
            return failure.fail("config: `{s}` is missing", .{below(pointer, name)});
        }
    }
    for (value.object.keys()) |key| {
        if (!isField(T, key)) return failure.fail("config: `{s}` is unknown", .{below(pointer, key)});
    }
    return found;
}

fn isField(comptime T: type, key: []const u8) bool {
    inline for (@typeInfo(T).@"struct".field_names) |name| {
        if (std.mem.eql(u8, name, key)) return true;
    }
    return false;
}

/// A `std.json.ArrayHashMap`, for a table whose keys are the operator's.
fn isMap(comptime T: type) bool {
    return @hasField(T, "map") and std.meta.hasFn(T, "jsonParseFromValue");
}

fn map(comptime T: type, value: Value, pointer: []const u8) Error!T {
    if (value != .object) return wrong(pointer, value, "a table");
    const Child = @FieldType(@FieldType(T, "map").KV, "value");
    var found: T = .{};
    for (value.object.keys(), value.object.values()) |key, member| {
        const child = try read(Child, member, below(pointer, key));
        found.map.put(memory.allocator, key, child) catch @panic("out of memory");
    }
    return found;
}

/// The pointer of a member, whose name is escaped as RFC 6901 has it.
fn below(pointer: []const u8, name: []const u8) []const u8 {
    var escaped: memory.List(u8) = .{};
    for (name) |letter| switch (letter) {
        '~', '/' => {
            escaped.add('~');
            escaped.add(if (letter == '/') '1' else '0');
        },
        else => escaped.add(letter),
    };
    return memory.print("{s}/{s}", .{ pointer, escaped.items });
}

fn names(comptime T: type) []const u8 {
    comptime var list: []const u8 = "";
    inline for (@typeInfo(T).@"enum".field_names, 0..) |name, index| {
        list = list ++ (if (index == 0) "" else ", ") ++ name;
    }
    return list;
}

fn wrong(pointer: []const u8, value: Value, expected: []const u8) Error {
    const shown = std.json.Stringify.valueAlloc(memory.allocator, value, .{}) catch @panic("out of memory");
    return failure.fail("config: `{s}` is `{s}`, not {s}", .{ pointer, shown, expected });
}
