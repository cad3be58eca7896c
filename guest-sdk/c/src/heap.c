// The heap of a module: `malloc` and its family, in place of the C library's.
//
// A decision in a fresh instance should touch little memory and not grow it, which costs the host two system calls. So
// pieces come from the rest of the initial memory first, in order. A piece has a power of two of bytes; when it is
// freed, it waits for the next request of its size. Nothing is merged or given back: what a module needs at its busiest
// is what it keeps.

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Stands before what the caller gets, which is aligned to 16 bytes.
typedef struct {
    uint32_t class;   // the piece has 1 << class bytes, this header included
    uint32_t padding; // bytes between this header's piece and the caller's pointer, beyond the header: for alignment
} piece_t;

#define PAGE 65536u
#define PIECE_ALIGNMENT 16u
#define SMALLEST 5u // 32 bytes
#define LARGEST 30u // 1 GiB, more than any host allows

static void *unused[LARGEST + 1];
static uintptr_t next, end;

extern char __heap_base; // set by the linker: where stack and static data end

static piece_t *piece_of(void *pointer) {
    return (piece_t *)pointer - 1;
}

static uintptr_t rounded_up(uintptr_t address, size_t alignment) {
    return (address + alignment - 1) & ~(uintptr_t)(alignment - 1);
}

static piece_t *carve(uint32_t class) {
    if (!next) {
        // Headers lie 8 bytes off, so that what follows them is aligned.
        next = rounded_up((uintptr_t)&__heap_base + sizeof(piece_t), PIECE_ALIGNMENT) - sizeof(piece_t);
        end = __builtin_wasm_memory_size(0) * PAGE;
    }
    uintptr_t size = (uintptr_t)1 << class;
    if (next + size > end) {
        size_t pages = (next + size - end + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return NULL;
        end = __builtin_wasm_memory_size(0) * PAGE;
    }
    piece_t *piece = (piece_t *)next;
    next += size;
    *piece = (piece_t){class, 0};
    return piece;
}

void *malloc(size_t size) {
    uint32_t class = SMALLEST;
    while (class <= LARGEST && ((size_t)1 << class) - sizeof(piece_t) < size) class++;
    if (class > LARGEST) return NULL;
    void *waiting = unused[class];
    if (waiting) {
        memcpy(&unused[class], waiting, sizeof(void *));
        return waiting;
    }
    piece_t *piece = carve(class);
    return piece ? piece + 1 : NULL;
}

void free(void *pointer) {
    if (!pointer) return;
    void *whole = (char *)pointer - piece_of(pointer)->padding;
    uint32_t class = piece_of(whole)->class;
    memcpy(whole, &unused[class], sizeof(void *));
    unused[class] = whole;
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    void *pointer = malloc(bytes);
    return pointer ? memset(pointer, 0, bytes) : NULL;
}

void *realloc(void *pointer, size_t size) {
    if (!pointer) return malloc(size);
    piece_t *piece = piece_of(pointer);
    size_t room = ((size_t)1 << piece->class) - sizeof(piece_t) - piece->padding;
    if (size <= room) return pointer;
    void *moved = malloc(size);
    if (!moved) return NULL;
    memcpy(moved, pointer, room);
    free(pointer);
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (alignment <= PIECE_ALIGNMENT) return malloc(size);
    size_t bytes;
    if (__builtin_add_overflow(size, alignment, &bytes)) return NULL;
    char *whole = malloc(bytes);
    if (!whole) return NULL;
    char *aligned = (char *)rounded_up((uintptr_t)whole, alignment);
    // Where they are the same, this is the piece's own header.
    *piece_of(aligned) = (piece_t){piece_of(whole)->class, (uint32_t)(aligned - whole)};
    return aligned;
}

int posix_memalign(void **pointer, size_t alignment, size_t size) {
    *pointer = aligned_alloc(alignment, size);
    return *pointer ? 0 : ENOMEM;
}
