//! What a host would answer, for native tests: the functions of `host.zig`, from what a test has set.

const std = @import("std");
const memory = @import("../memory.zig");
const text = @import("../text.zig");
const types = @import("../types.zig");

const Text = []const u8;

/// 2026-01-01 00:00 UTC.
const new_year: u64 = 1_767_225_600_000;

/// All that a test may set, and all that a module leaves behind.
pub const State = struct {
    table: std.json.Value = .{ .object = .empty },
    lines: memory.List(Line) = .{},
    now_ms: u64 = new_year,
    random: []const u64 = &.{},
    entries: std.StringHashMapUnmanaged(Entry) = .empty,
    upstreams: std.StringHashMapUnmanaged(types.Upstream) = .empty,
    groups: std.StringHashMapUnmanaged([]const types.Upstream) = .empty,
};

pub var state: State = .{};

/// A line of the log.
pub const Line = struct {
    level: types.Level,
    message: Text,
};

const Entry = struct {
    content: union(enum) { counter: i64, value: Text },
    end_ms: ?u64,
};

/// What a test makes; `Request` points to it.
pub const Recorded = struct {
    method: Text,
    scheme: Text,
    authority: Text,
    path: Text,
    query: ?Text,
    headers: memory.List(types.Header) = .{},
    client_ip: Text = "192.0.2.1",
    listener: Text = "test",
    tls: ?types.ClientTls = null,
    attempts: memory.List(types.Attempt) = .{},
};

pub const Request = struct {
    recorded: *const Recorded,

    pub fn method(request: Request) Text {
        return request.recorded.method;
    }

    pub fn scheme(request: Request) Text {
        return request.recorded.scheme;
    }

    pub fn authority(request: Request) Text {
        return request.recorded.authority;
    }

    pub fn path(request: Request) Text {
        return request.recorded.path;
    }

    pub fn query(request: Request) ?Text {
        return request.recorded.query;
    }

    pub fn header(request: Request, name: Text) ?Text {
        const values = request.headerValues(name);
        return if (values.len == 0) null else values[0];
    }

    pub fn headerText(request: Request, name: Text) ?Text {
        return text.lossy(request.header(name) orelse return null);
    }

    pub fn headerValues(request: Request, name: Text) []const Text {
        var values: memory.List(Text) = .{};
        for (request.recorded.headers.items) |one| {
            if (std.ascii.eqlIgnoreCase(one.name, name)) values.add(one.value);
        }
        return values.items;
    }

    /// In the order of their names' first appearance.
    pub fn headers(request: Request) []const types.Header {
        var ordered: memory.List(types.Header) = .{};
        for (request.recorded.headers.items, 0..) |one, index| {
            const is_first = for (request.recorded.headers.items[0..index]) |before| {
                if (std.mem.eql(u8, before.name, one.name)) break false;
            } else true;
            if (!is_first) continue;
            for (request.headerValues(one.name)) |value| ordered.add(.{ .name = one.name, .value = value });
        }
        return ordered.items;
    }

    pub fn clientIp(request: Request) Text {
        return request.recorded.client_ip;
    }

    pub fn listener(request: Request) Text {
        return request.recorded.listener;
    }

    pub fn tls(request: Request) ?types.ClientTls {
        return request.recorded.tls;
    }

    pub fn attempts(request: Request) []const types.Attempt {
        return request.recorded.attempts.items;
    }
};

pub const config = struct {
    pub fn json() Text {
        return stringify(state.table);
    }

    pub fn get(pointer: Text) ?Text {
        return stringify(find(pointer) orelse return null);
    }

    pub fn getText(pointer: Text) ?Text {
        return switch (find(pointer) orelse return null) {
            .string => |string| string,
            else => null,
        };
    }

    /// RFC 6901.
    fn find(pointer: Text) ?std.json.Value {
        var value = state.table;
        if (pointer.len == 0) return value;
        if (pointer[0] != '/') return null;
        var keys = std.mem.splitScalar(u8, pointer[1..], '/');
        while (keys.next()) |key| {
            value = switch (value) {
                .object => |object| object.get(unescape(key)),
                .array => |array| item(array.items, key),
                else => null,
            } orelse return null;
        }
        return value;
    }

    fn item(items: []const std.json.Value, key: Text) ?std.json.Value {
        if (key.len > 1 and key[0] == '0') return null;
        for (key) |digit| if (!std.ascii.isDigit(digit)) return null;
        const index = std.fmt.parseInt(usize, key, 10) catch return null;
        return if (index < items.len) items[index] else null;
    }

    fn unescape(key: Text) Text {
        return replace(replace(key, "~1", "/"), "~0", "~");
    }

    fn replace(key: Text, escape: Text, by: Text) Text {
        return std.mem.replaceOwned(u8, memory.allocator, key, escape, by) catch @panic("out of memory");
    }

    fn stringify(value: std.json.Value) Text {
        return memory.print("{f}", .{std.json.fmt(value, .{})});
    }
};

pub fn log(level: types.Level, message: Text) void {
    const kept = memory.allocator.dupe(u8, message) catch @panic("out of memory");
    state.lines.add(.{ .level = level, .message = kept });
}

pub fn nowMs() u64 {
    return state.now_ms;
}

pub fn randomBits() u64 {
    if (state.random.len == 0) return 0;
    defer state.random = state.random[1..];
    return state.random[0];
}

pub const upstreams = struct {
    pub fn get(address: Text) types.Upstream {
        return state.upstreams.get(address) orelse .{ .address = address };
    }

    pub fn group(name: Text) ?[]const types.Upstream {
        return state.groups.get(name);
    }
};

/// As the contract has it, but for the tenant's quota.
pub const shared = struct {
    pub const Error = error{ Full, TooLong, OtherKind, Overflow, Other };

    pub fn add(key: Text, amount: i64, ttl_ms: ?u32) Error!i64 {
        if (key.len > 256) return error.TooLong;
        const made: Entry = .{ .content = .{ .counter = 0 }, .end_ms = endMs(ttl_ms) };
        const entry = live(key) orelse made;
        switch (entry.content) {
            .value => return error.OtherKind,
            .counter => |count| {
                const sum = std.math.add(i64, count, amount) catch return error.Overflow;
                put(key, .{ .content = .{ .counter = sum }, .end_ms = entry.end_ms });
                return sum;
            },
        }
    }

    pub fn counter(key: Text) ?i64 {
        const entry = live(key) orelse return null;
        return if (entry.content == .counter) entry.content.counter else null;
    }

    pub fn get(key: Text) ?Text {
        const entry = live(key) orelse return null;
        return if (entry.content == .value) entry.content.value else null;
    }

    pub fn set(key: Text, value: Text, ttl_ms: ?u32) Error!void {
        if (key.len > 256 or value.len > 16_384) return error.TooLong;
        if (counter(key) != null) return error.OtherKind;
        const kept = memory.allocator.dupe(u8, value) catch return error.Full;
        put(key, .{ .content = .{ .value = kept }, .end_ms = endMs(ttl_ms) });
    }

    pub fn compareAndSet(key: Text, expected: ?Text, value: Text, ttl_ms: ?u32) Error!bool {
        if (counter(key) != null) return error.OtherKind;
        const is_expected = if (get(key)) |there|
            expected != null and std.mem.eql(u8, there, expected.?)
        else
            expected == null;
        if (is_expected) try set(key, value, ttl_ms);
        return is_expected;
    }

    pub fn delete(key: Text) void {
        _ = state.entries.remove(key);
    }

    fn live(key: Text) ?Entry {
        const entry = state.entries.get(key) orelse return null;
        if (entry.end_ms == null or entry.end_ms.? > state.now_ms) return entry;
        delete(key);
        return null;
    }

    fn put(key: Text, entry: Entry) void {
        state.entries.put(memory.allocator, memory.print("{s}", .{key}), entry) catch @panic("out of memory");
    }

    fn endMs(ttl_ms: ?u32) ?u64 {
        return state.now_ms + (ttl_ms orelse return null);
    }
};
