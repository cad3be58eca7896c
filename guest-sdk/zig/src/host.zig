//! The host's functions, as the contract has them: one Zig function for each function of `wit/0.1`, below it the core
//! import. Only for WebAssembly; in a native test `testing/host.zig` stands for it.

const abi = @import("abi.zig");
const types = @import("types.zig");

const Area = abi.Area;
const Text = []const u8;
const Bytes = [*]const u8;

/// The request to be routed.
pub const Request = struct {
    handle: i32,

    pub fn method(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.method");
    }

    pub fn scheme(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.scheme");
    }

    pub fn authority(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.authority");
    }

    pub fn path(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.path");
    }

    pub fn query(request: Request) ?Text {
        return request.ask(?Text, requests.@"[method]request.query");
    }

    pub fn header(request: Request, name: Text) ?Text {
        return request.askFor(?Text, requests.@"[method]request.header", name);
    }

    pub fn headerText(request: Request, name: Text) ?Text {
        return request.askFor(?Text, requests.@"[method]request.header-text", name);
    }

    pub fn headerValues(request: Request, name: Text) []const Text {
        return request.askFor([]const Text, requests.@"[method]request.header-values", name);
    }

    pub fn headers(request: Request) []const types.Header {
        return request.ask([]const types.Header, requests.@"[method]request.headers");
    }

    pub fn clientIp(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.client-ip");
    }

    pub fn listener(request: Request) Text {
        return request.ask(Text, requests.@"[method]request.listener");
    }

    pub fn tls(request: Request) ?types.ClientTls {
        return request.ask(?types.ClientTls, requests.@"[method]request.tls");
    }

    pub fn attempts(request: Request) []const types.Attempt {
        return request.ask([]const types.Attempt, requests.@"[method]request.attempts");
    }

    /// The host lends the request for the call; it wants it back before the call ends.
    pub fn giveBack(request: Request) void {
        requests.@"[resource-drop]request"(request.handle);
    }

    fn ask(request: Request, comptime T: type, comptime function: anytype) T {
        var answer: Area(T) = .{};
        function(request.handle, &answer.bytes);
        return answer.value();
    }

    fn askFor(request: Request, comptime T: type, comptime function: anytype, name: Text) T {
        var answer: Area(T) = .{};
        function(request.handle, abi.bytes(u8, name), name.len, &answer.bytes);
        return answer.value();
    }
};

const requests = struct {
    extern "pointsman:router/request@0.1.0" fn @"[method]request.method"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.scheme"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.authority"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.path"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.query"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.header"(i32, Bytes, usize, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.header-text"(i32, Bytes, usize, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.header-values"(i32, Bytes, usize, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.headers"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.client-ip"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.listener"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.tls"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[method]request.attempts"(i32, [*]u8) void;
    extern "pointsman:router/request@0.1.0" fn @"[resource-drop]request"(i32) void;
};

pub const config = struct {
    pub fn json() Text {
        var answer: Area(Text) = .{};
        imports.json(&answer.bytes);
        return answer.value();
    }

    pub fn get(pointer: Text) ?Text {
        var answer: Area(?Text) = .{};
        imports.get(abi.bytes(u8, pointer), pointer.len, &answer.bytes);
        return answer.value();
    }

    pub fn getText(pointer: Text) ?Text {
        var answer: Area(?Text) = .{};
        imports.@"get-text"(abi.bytes(u8, pointer), pointer.len, &answer.bytes);
        return answer.value();
    }

    const imports = struct {
        extern "pointsman:router/config@0.1.0" fn json([*]u8) void;
        extern "pointsman:router/config@0.1.0" fn get(Bytes, usize, [*]u8) void;
        extern "pointsman:router/config@0.1.0" fn @"get-text"(Bytes, usize, [*]u8) void;
    };
};

pub fn log(level: types.Level, message: Text) void {
    const imports = struct {
        extern "pointsman:router/log@0.1.0" fn log(u32, Bytes, usize) void;
    };
    imports.log(@backingInt(level), abi.bytes(u8, message), message.len);
}

pub fn nowMs() u64 {
    const imports = struct {
        extern "pointsman:router/clock@0.1.0" fn @"now-ms"() u64;
    };
    return imports.@"now-ms"();
}

pub fn randomBits() u64 {
    const imports = struct {
        extern "pointsman:router/random@0.1.0" fn @"get-u64"() u64;
    };
    return imports.@"get-u64"();
}

pub const shared = struct {
    /// The contract's `error`.
    const Problem = enum { full, too_long, other_kind, overflow, other };

    /// The same as a Zig error.
    pub const Error = error{ Full, TooLong, OtherKind, Overflow, Other };

    fn Result(comptime T: type) type {
        return union(enum) { ok: T, err: Problem };
    }

    pub fn add(key: Text, amount: i64, ttl_ms: ?u32) Error!i64 {
        var answer: Area(Result(i64)) = .{};
        imports.add(abi.bytes(u8, key), key.len, amount, @intFromBool(ttl_ms != null), ttl_ms orelse 0, &answer.bytes);
        return unpack(i64, answer.value());
    }

    pub fn counter(key: Text) ?i64 {
        var answer: Area(?i64) = .{};
        imports.counter(abi.bytes(u8, key), key.len, &answer.bytes);
        return answer.value();
    }

    pub fn get(key: Text) ?Text {
        var answer: Area(?Text) = .{};
        imports.get(abi.bytes(u8, key), key.len, &answer.bytes);
        return answer.value();
    }

    pub fn set(key: Text, value: Text, ttl_ms: ?u32) Error!void {
        var answer: Area(Result(void)) = .{};
        imports.set(
            abi.bytes(u8, key),
            key.len,
            abi.bytes(u8, value),
            value.len,
            @intFromBool(ttl_ms != null),
            ttl_ms orelse 0,
            &answer.bytes,
        );
        return unpack(void, answer.value());
    }

    pub fn compareAndSet(key: Text, expected: ?Text, value: Text, ttl_ms: ?u32) Error!bool {
        const expected_value: Text = expected orelse "";
        var answer: Area(Result(bool)) = .{};
        imports.@"compare-and-set"(
            abi.bytes(u8, key),
            key.len,
            @intFromBool(expected != null),
            abi.bytes(u8, expected_value),
            expected_value.len,
            abi.bytes(u8, value),
            value.len,
            @intFromBool(ttl_ms != null),
            ttl_ms orelse 0,
            &answer.bytes,
        );
        return unpack(bool, answer.value());
    }

    pub fn delete(key: Text) void {
        imports.delete(abi.bytes(u8, key), key.len);
    }

    fn unpack(comptime T: type, result: Result(T)) Error!T {
        return switch (result) {
            .ok => |value| value,
            .err => |problem| switch (problem) {
                .full => error.Full,
                .too_long => error.TooLong,
                .other_kind => error.OtherKind,
                .overflow => error.Overflow,
                .other => error.Other,
            },
        };
    }

    const imports = struct {
        extern "pointsman:router/shared@0.1.0" fn add(Bytes, usize, i64, u32, u32, [*]u8) void;
        extern "pointsman:router/shared@0.1.0" fn counter(Bytes, usize, [*]u8) void;
        extern "pointsman:router/shared@0.1.0" fn get(Bytes, usize, [*]u8) void;
        extern "pointsman:router/shared@0.1.0" fn set(Bytes, usize, Bytes, usize, u32, u32, [*]u8) void;
        extern "pointsman:router/shared@0.1.0" fn @"compare-and-set"(Bytes, usize, u32, Bytes, usize, Bytes, usize, u32, u32, [*]u8) void;
        extern "pointsman:router/shared@0.1.0" fn delete(Bytes, usize) void;
    };
};

pub const upstreams = struct {
    pub fn get(address: Text) types.Upstream {
        var answer: Area(types.Upstream) = .{};
        imports.get(abi.bytes(u8, address), address.len, &answer.bytes);
        return answer.value();
    }

    pub fn group(name: Text) ?[]const types.Upstream {
        var answer: Area(?[]const types.Upstream) = .{};
        imports.group(abi.bytes(u8, name), name.len, &answer.bytes);
        return answer.value();
    }

    const imports = struct {
        extern "pointsman:router/upstreams@0.1.0" fn get(Bytes, usize, [*]u8) void;
        extern "pointsman:router/upstreams@0.1.0" fn group(Bytes, usize, [*]u8) void;
    };
};
