//! Write a Pointsman routing module in Zig. A module is a function from a request to an answer:
//!
//! ```zig
//! const pointsman = @import("pointsman");
//!
//! pub fn selectPeer(request: pointsman.Request) !pointsman.Route {
//!     const side = if (request.header("x-canary") == null) "stable" else "canary";
//!     const address = try pointsman.config.text(pointsman.print("/{s}", .{side}));
//!     return .{ .peer = .http(address), .note = side };
//! }
//! ```
//!
//! The host calls it for every request, and again after each attempt that failed (`Request.attempts`). It returns a
//! `Peer`, a `Route`, a `Response` or a `Decision`, or an error.
//!
//! Everything that a decision allocates, and everything that the host tells it, lives until the next decision begins.

pub const clock = @import("clock.zig");
pub const config = @import("config.zig");
pub const hash = @import("hash.zig");
pub const log = @import("log.zig");
pub const random = @import("random.zig");
pub const shared = @import("shared.zig");
pub const upstreams = @import("upstreams.zig");

pub const Request = @import("request.zig").Request;
pub const Pair = @import("request.zig").Pair;

const types = @import("types.zig");
pub const Alpn = types.Alpn;
pub const Attempt = types.Attempt;
pub const BindTo = types.BindTo;
pub const ClientTls = types.ClientTls;
pub const ConnectProxy = types.ConnectProxy;
pub const Decision = types.Decision;
pub const Failure = types.Failure;
pub const Header = types.Header;
pub const Health = types.Health;
pub const HttpOptions = types.HttpOptions;
pub const Level = types.Level;
pub const Peer = types.Peer;
pub const PortRange = types.PortRange;
pub const Quirks = types.Quirks;
pub const Response = types.Response;
pub const RetryPolicy = types.RetryPolicy;
pub const Rewrite = types.Rewrite;
pub const Route = types.Route;
pub const SocketOptions = types.SocketOptions;
pub const Stage = types.Stage;
pub const TcpKeepalive = types.TcpKeepalive;
pub const Timeouts = types.Timeouts;
pub const Tls = types.Tls;
pub const Upgrade = types.Upgrade;
pub const Upstream = types.Upstream;
pub const Verify = types.Verify;

const failure = @import("failure.zig");
pub const Error = failure.Error;
pub const fail = failure.fail;

const memory = @import("memory.zig");
pub const allocator = memory.allocator;
pub const print = memory.print;

/// What `module.zig`, the root of the WebAssembly module, needs beside these.
pub const internal = struct {
    pub const abi = @import("abi.zig");
    pub const answer = @import("answer.zig");
    pub const host = @import("platform.zig").host;
    pub const message = failure.message;
    pub const forget = failure.forget;
    pub const arena = memory;
};

const is_wasm = @import("builtin").cpu.arch.isWasm();

/// Requests, configuration, log and all else that a host offers, for native tests.
pub const testing = if (is_wasm) struct {} else @import("testing.zig");

test {
    _ = @import("abi.zig");
    _ = @import("answer.zig");
    _ = @import("text.zig");
    _ = clock;
    _ = config;
    _ = failure;
    _ = hash;
    _ = types;
}
