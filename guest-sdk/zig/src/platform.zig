//! The host that answers: the real one in WebAssembly, the test kit's elsewhere. Both have the same functions.

const builtin = @import("builtin");

pub const host = if (builtin.cpu.arch.isWasm()) @import("host.zig") else @import("testing/host.zig");
