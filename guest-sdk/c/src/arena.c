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
    if (!chunk) pm_bug("out of memory");
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

// The lists that were made longer last, and how many elements each has room for. Of a list that is not among them, such as
// an array of the author's, nothing is known: it counts as full.
static struct {
    void *list;
    size_t room;
} grown[8];
static unsigned next_grown;

void *pm_arena_append(void *list, size_t len, size_t size) {
    size_t known = sizeof grown / sizeof *grown;
    for (size_t i = 0; list && i < known; i++) {
        if (grown[i].list == list && len < grown[i].room) return list;
    }
    size_t room = len < 2 ? 2 : len * 2;
    void *longer = pm_arena_alloc(room * size, CHUNK_ALIGNMENT);
    if (len) memcpy(longer, list, len * size);
    unsigned slot = next_grown++ % known;
    grown[slot].list = longer;
    grown[slot].room = room;
    return longer;
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
    memset(grown, 0, sizeof grown);
}

void *pm_alloc(size_t size) {
    return pm_arena_alloc(size, CHUNK_ALIGNMENT);
}
