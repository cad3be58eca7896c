// The memory of a decision: handed out in order, and given back all at once when the host has taken the answer.

#include "internal.h"

#include <stdlib.h>
#include <string.h>

// A chunk and its header come from `malloc`; 8 KiB hold what most decisions read and say.
#define CHUNK_SIZE 8192u
#define CHUNK_HEADER sizeof(chunk_t)
#define CHUNK_ALIGNMENT _Alignof(max_align_t)

typedef struct chunk {
    _Alignas(max_align_t) struct chunk *before;
    size_t used, size; // bytes, header included
} chunk_t;

static chunk_t *newest;

static chunk_t *add_chunk(size_t size) {
    // A heap's pieces have a few bytes of their own: so the whole is still a power of two.
    size_t room = CHUNK_SIZE - CHUNK_ALIGNMENT;
    if (size > room - CHUNK_HEADER) room = size + CHUNK_HEADER;
    chunk_t *chunk = room < size ? NULL : malloc(room);
    if (!chunk) abort();
    *chunk = (chunk_t){newest, CHUNK_HEADER, room};
    return newest = chunk;
}

void *pm_arena_alloc(size_t size, size_t alignment) {
    chunk_t *chunk = newest ? newest : add_chunk(size);
    size_t start = (chunk->used + alignment - 1) & ~(alignment - 1);
    if (start > chunk->size || size > chunk->size - start) {
        chunk = add_chunk(size);
        start = chunk->used;
    }
    chunk->used = start + size;
    return (char *)chunk + start;
}

void *pm_arena_grow(void *piece, size_t old_size, size_t size, size_t alignment) {
    if (newest && piece && (char *)piece + old_size == (char *)newest + newest->used) {
        size_t start = (size_t)((char *)piece - (char *)newest);
        if (size <= newest->size - start) {
            newest->used = start + size;
            return piece;
        }
    }
    void *moved = pm_arena_alloc(size, alignment);
    if (old_size) memcpy(moved, piece, old_size < size ? old_size : size);
    return moved;
}

pm_mark_t pm_arena_mark(void) {
    return (pm_mark_t){newest, newest ? newest->used : 0};
}

void pm_arena_reset(pm_mark_t mark) {
    // The first chunk stays, since the next decision needs one at once.
    while (newest && newest != mark.chunk && (newest->before || mark.chunk)) {
        chunk_t *before = newest->before;
        free(newest);
        newest = before;
    }
    if (newest) newest->used = mark.chunk ? mark.used : CHUNK_HEADER;
}

void *pm_alloc(size_t size) {
    return pm_arena_alloc(size, CHUNK_ALIGNMENT);
}
