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

// Behind white space; behind the string, or the value, that begins here (NULL if it is none); at the value of the key
// that begins here (NULL if it is none).
const char *pm_json_space(const char *at);
const char *pm_json_string_end(const char *at);
const char *pm_json_value_end(const char *at);
const char *pm_json_key_end(const char *at);

// The text of the string that begins here.
pm_text_t pm_json_text(const char *at);

// Between a name and how a JSON Pointer has it: `~1` means `/`, and `~0` means `~`.
pm_text_t pm_pointer_name(const char *token, size_t len);
pm_text_t pm_pointer_token(pm_text_t name);

// Ends the decision, or the test: the text goes to the tenant's log, or to standard error.
_Noreturn void pm_bug(const char *text);

// Set while the host allocates in the module, which may then call nothing of the host.
extern bool pm_host_allocates;

// The error of an earlier decision is none of this one's.
void pm_forget_error(void);

// One more element at the end of a list `{ptr, len}`; gives its address.
#define PM_GROW(list)                                                                                                  \
    ((list)->ptr = pm_arena_append((list)->ptr, (list)->len, sizeof *(list)->ptr), (list)->len++,                      \
     &(list)->ptr[(list)->len - 1])

#endif
