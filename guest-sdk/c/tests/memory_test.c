// The memory of decisions, and the heap that a module has in WebAssembly. The heap runs here over a piece of ordinary
// memory that stands for the module's.

#include "test.h"

#include "../src/internal.h"

#define PAGES 64

static char *heap_start;
static size_t page_count;

static size_t grow(size_t more) {
    if (page_count + more > PAGES) return SIZE_MAX;
    page_count += more;
    return page_count - more;
}

#define __heap_base (*heap_start)
#define __builtin_wasm_memory_size(memory) ((uintptr_t)heap_start / 65536 + page_count)
#define __builtin_wasm_memory_grow(memory, more) grow(more)
#define malloc heap_malloc
#define free heap_free
#define calloc heap_calloc
#define realloc heap_realloc
#define aligned_alloc heap_aligned_alloc
#define posix_memalign heap_posix_memalign
#include "../src/heap.c"
#undef malloc
#undef free
#undef aligned_alloc

static uint32_t state = 1;

static uint32_t chance(uint32_t end) {
    state = state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)state * end >> 32);
}

typedef struct {
    uint8_t *ptr;
    size_t len;
    uint8_t mark;
} held_t;

static void check_and_free(held_t *held) {
    for (size_t i = 0; i < held->len; i++) CHECK(held->ptr[i] == held->mark);
    heap_free(held->ptr);
    held->ptr = NULL;
}

static void pieces_never_overlap_and_are_used_again(void) {
    held_t held[64] = {0};
    for (int i = 0; i < 200000; i++) {
        held_t *one = &held[chance(64)];
        if (one->ptr) check_and_free(one);
        one->len = chance(4) ? chance(200) : chance(9000);
        one->mark = (uint8_t)i;
        size_t alignment = chance(4) ? 16 : (size_t)32 << chance(6);
        one->ptr = alignment == 16 ? heap_malloc(one->len / 2) : heap_aligned_alloc(alignment, one->len);
        CHECK(one->ptr && (uintptr_t)one->ptr % alignment == 0);
        if (alignment == 16) {
            memset(one->ptr, one->mark, one->len / 2);
            one->ptr = heap_realloc(one->ptr, one->len);
            for (size_t j = 0; j < one->len / 2; j++) CHECK(one->ptr[j] == one->mark);
        }
        memset(one->ptr, one->mark, one->len);
    }
    // 64 pieces of at most 16 KiB.
    CHECK(page_count <= 16);
    for (int i = 0; i < 64; i++) {
        if (held[i].ptr) check_and_free(&held[i]);
    }
}

static void what_is_too_large_is_refused(void) {
    CHECK(!heap_malloc(SIZE_MAX) && !heap_malloc((size_t)PAGES * 65536) && !heap_calloc(SIZE_MAX / 2, 4));
    CHECK(!heap_aligned_alloc(64, SIZE_MAX - 8));
    uint8_t *zeros = heap_calloc(10, 100);
    for (int i = 0; i < 1000; i++) CHECK(zeros[i] == 0);
}

static void lists_that_grow_in_turns_are_seldom_copied(void) {
    pm_texts_t lists[8] = {0};
    int copies = 0;
    for (int i = 0; i < 1000; i++) {
        for (int l = 0; l < 8; l++) {
            pm_text_t *before = lists[l].ptr;
            *PM_GROW(&lists[l]) = pm_text("one");
            copies += lists[l].ptr != before;
        }
    }
    CHECK(copies == 8 * 10);
    for (int l = 0; l < 8; l++) CHECK(lists[l].len == 1000 && (pm_equal)(lists[l].ptr[999], pm_text("one")));
}

static void an_array_of_the_authors_is_copied(void) {
    pm_text_t own[3] = {{0}}, behind = pm_text("untouched");
    pm_texts_t list = {own, 3};
    *PM_GROW(&list) = pm_text("more");
    CHECK(list.ptr != own && list.len == 4);
    CHECK((pm_equal)(behind, pm_text("untouched")));
}

static void a_decision_gives_back_what_it_took(void) {
    pm_text_t kept = pm_copy(pm_text("kept"));
    for (int decision = 0; decision < 1000; decision++) {
        pm_mark_t mark = pm_arena_mark();
        uint8_t *first = pm_arena_alloc(16, 1);
        pm_texts_t texts = {0};
        for (int i = 0; i < 100; i++) {
            pm_texts_t own = {0};
            *PM_GROW(&own) = pm_decimal(i);
            *PM_GROW(&texts) = own.ptr[0];
        }
        uint8_t *large = pm_arena_alloc(100000, 16);
        memset(large, 1, 100000);
        for (int i = 0; i < 100; i++) CHECK((pm_equal)(texts.ptr[i], pm_decimal(i)));
        pm_arena_reset(mark);
        CHECK(pm_arena_alloc(16, 1) == (void *)first);
        pm_arena_reset(mark);
        CHECK((pm_equal)(kept, pm_text("kept")));
    }
}

void memory_tests(void) {
    char *memory = malloc((PAGES + 1) * 65536);
    heap_start = memory + (65536 - (uintptr_t)memory % 65536);
    page_count = 1;
    pieces_never_overlap_and_are_used_again();
    what_is_too_large_is_refused();
    lists_that_grow_in_turns_are_seldom_copied();
    an_array_of_the_authors_is_copied();
    a_decision_gives_back_what_it_took();
    free(memory);
}
