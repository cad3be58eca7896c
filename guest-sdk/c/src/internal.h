// What the files of the SDK have among themselves.

#ifndef PM_INTERNAL_H
#define PM_INTERNAL_H

// The functions themselves are wanted here, not the macros that take strings too.
#define PM_TEXTS_ONLY
#include "../pointsman.h"

// A place in the decision's memory, to go back to.
typedef struct {
    void *chunk;
    size_t used;
} pm_mark_t;

void *pm_arena_alloc(size_t size, size_t alignment);

// The list, or a copy of it, with room for one more element of this size.
void *pm_arena_append(void *list, size_t len, size_t size);

pm_mark_t pm_arena_mark(void);

// Gives back all that was handed out since the mark.
void pm_arena_reset(pm_mark_t mark);

// Percent-decoded, with `+` as a space.
pm_text_t pm_form_decoded(pm_text_t text);

// The error of an earlier decision is none of this one's.
void pm_forget_error(void);

// One more element at the end of a list `{ptr, len}`; gives its address.
#define PM_GROW(list)                                                                                                  \
    ((list)->ptr = pm_arena_append((list)->ptr, (list)->len, sizeof *(list)->ptr), (list)->len++,                      \
     &(list)->ptr[(list)->len - 1])

#endif
