//! The module's configuration: its `config` table.
//!
//! A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. A value of the wrong type is
//! always an error, never treated as a missing one. Errors name the value, so that `try` is enough.
//!
//! In a native test, `testing.config` sets it.

const std = @import("std");
const failure = @import("failure.zig");
const memory = @import("memory.zig");

const table = @import("platform.zig").host.config;
const Error = failure.Error;

/// The whole table as a JSON object.
pub fn json() []const u8 {
    return table.json();
}

/// One value, as JSON. Null if it is absent.
pub fn get(pointer: []const u8) ?[]const u8 {
    return table.get(pointer);
}

/// A text.
pub fn text(pointer: []const u8) Error![]const u8 {
    return try optionalText(pointer) orelse missing(pointer);
}

/// A text, or this one if the operator gave none.
pub fn textOr(pointer: []const u8, default: []const u8) Error![]const u8 {
    return try optionalText(pointer) orelse default;
}

/// A list of texts.
pub fn texts(pointer: []const u8) Error![]const []const u8 {
    const list = table.get(pointer) orelse return missing(pointer);
    if (!std.mem.startsWith(u8, list, "[")) return wrong(pointer, list, "a list");
    var found: memory.List([]const u8) = .{};
    while (try optionalText(memory.print("{s}/{d}", .{ pointer, found.items.len }))) |item| found.add(item);
    return found.items;
}

/// A number of any integer or floating-point type: `config.number(u16, "/port")`.
pub fn number(comptime N: type, pointer: []const u8) Error!N {
    return try optionalNumber(N, pointer) orelse missing(pointer);
}

/// A number, or this one if the operator gave none.
pub fn numberOr(comptime N: type, pointer: []const u8, default: N) Error!N {
    return try optionalNumber(N, pointer) orelse default;
}

/// `true` or `false`, the latter also if the operator gave neither.
pub fn flag(pointer: []const u8) Error!bool {
    const value = table.get(pointer) orelse return false;
    if (std.mem.eql(u8, value, "true")) return true;
    if (std.mem.eql(u8, value, "false")) return false;
    return wrong(pointer, value, "true or false");
}

/// The whole table as a type of your own: fields have the names of the keys, a field with a default may be absent, and a
/// key without a field is an error. A table whose keys are the operator's is a `std.json.ArrayHashMap(T)`, and a value of
/// any type a `std.json.Value`.
pub fn parse(comptime T: type) Error!T {
    return @import("table.zig").parse(T, json());
}

fn optionalText(pointer: []const u8) Error!?[]const u8 {
    if (table.getText(pointer)) |found| return found;
    const other = table.get(pointer) orelse return null;
    return wrong(pointer, other, "a text");
}

fn optionalNumber(comptime N: type, pointer: []const u8) Error!?N {
    const value = table.get(pointer) orelse return null;
    // JSON writes a number as Zig reads it. A text keeps its quotes and is none.
    switch (@typeInfo(N)) {
        .float => return std.fmt.parseFloat(N, value) catch wrong(pointer, value, "a number"),
        .int => return std.fmt.parseInt(N, value, 10) catch wrong(pointer, value, std.fmt.comptimePrint(
            "a whole number from {d} to {d}",
            .{ std.math.minInt(N), std.math.maxInt(N) },
        )),
        else => @compileError(@typeName(N) ++ " is no type of numbers"),
    }
}

fn missing(pointer: []const u8) Error {
    return failure.fail("config: `{s}` is missing", .{pointer});
}

fn wrong(pointer: []const u8, value: []const u8, expected: []const u8) Error {
    return failure.fail("config: `{s}` is `{s}`, not {s}", .{ pointer, value, expected });
}
