//! A module's memory: handed out from bottom to top, and given back as a whole when the next decision begins.
//!
//! So nothing of a decision needs to be freed, and an instance that is used again does not grow. Where memory runs out,
//! the module traps and the decision fails: there would be no memory for an answer either.

const std = @import("std");
const builtin = @import("builtin");
const is_wasm = builtin.cpu.arch.isWasm();

/// For what lives as long as the decision. What `configure` allocates stays.
pub const allocator: std.mem.Allocator = if (is_wasm) bump else native.allocator();

/// The same, and never fails.
pub fn alloc(comptime T: type, count: usize) []T {
    return allocator.alloc(T, count) catch @panic("out of memory");
}

/// Bytes at an address that is a multiple of `alignment`.
pub fn allocAligned(comptime alignment: usize, size: usize) [*]u8 {
    return (allocator.alignedAlloc(u8, .fromByteUnits(alignment), size) catch @panic("out of memory")).ptr;
}

/// Text made by `std.fmt`, such as `print("/{s}", .{side})`.
pub fn print(comptime format: []const u8, arguments: anytype) []u8 {
    return std.fmt.allocPrint(allocator, format, arguments) catch @panic("out of memory");
}

/// A list that grows. Adding to it never fails.
pub fn List(comptime T: type) type {
    return struct {
        items: []T = &.{},
        capacity: usize = 0,

        pub fn add(list: *@This(), item: T) void {
            if (list.items.len == list.capacity) {
                list.capacity = 2 * list.capacity + 4;
                const larger = alloc(T, list.capacity);
                @memcpy(larger[0..list.items.len], list.items);
                list.items.ptr = larger.ptr;
            }
            list.items.len += 1;
            list.items[list.items.len - 1] = item;
        }
    };
}

/// Frees everything that was allocated since `keep`. A decision begins with it.
pub fn reset() void {
    next = base;
}

/// Keeps everything that has been allocated so far. `configure` ends with it.
pub fn keep() void {
    base = next;
}

/// What the canonical ABI calls `realloc`.
pub fn realloc(old: ?[*]u8, old_size: usize, alignment: std.mem.Alignment, size: usize) [*]u8 {
    if (old) |piece| {
        if (size <= old_size or resize(undefined, piece[0..old_size], alignment, size, 0)) return piece;
    }
    const piece = bumpAlloc(undefined, size, alignment, 0) orelse @panic("out of memory");
    if (old) |from| @memcpy(piece[0..old_size], from[0..old_size]);
    return piece;
}

var native: std.heap.ArenaAllocator = .init(std.heap.page_allocator);

const bump: std.mem.Allocator = .{
    .ptr = undefined,
    .vtable = &.{ .alloc = bumpAlloc, .resize = resize, .remap = remap, .free = free },
};

/// Set by the linker: where stack and static data end.
extern var __heap_base: u8;

/// Address of the first byte that is free. 0: nothing has been allocated yet.
var next: usize = 0;
/// Where `next` begins again.
var base: usize = 0;

fn bumpAlloc(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    if (next == 0) {
        next = @intFromPtr(&__heap_base);
        base = next;
    }
    const start = alignment.forward(next);
    if (!moveTo(start +| size)) return null;
    return @ptrFromInt(start);
}

fn resize(_: *anyopaque, piece: []u8, _: std.mem.Alignment, size: usize, _: usize) bool {
    // The newest piece may grow, since what follows it is free.
    if (isNewest(piece)) return moveTo(@intFromPtr(piece.ptr) +| size);
    return size <= piece.len;
}

fn remap(context: *anyopaque, piece: []u8, alignment: std.mem.Alignment, size: usize, address: usize) ?[*]u8 {
    return if (resize(context, piece, alignment, size, address)) piece.ptr else null;
}

fn free(_: *anyopaque, piece: []u8, _: std.mem.Alignment, _: usize) void {
    if (isNewest(piece)) next = @intFromPtr(piece.ptr);
}

fn isNewest(piece: []u8) bool {
    return @intFromPtr(piece.ptr) + piece.len == next;
}

/// Hands out all up to `address`, growing the memory if need be.
fn moveTo(address: usize) bool {
    const page_size = 65_536;
    const end = @wasmMemorySize(0) * page_size;
    if (address > end) {
        const pages = (address - end + page_size - 1) / page_size;
        if (@wasmMemoryGrow(0, pages) < 0) return false;
    }
    next = address;
    return true;
}
