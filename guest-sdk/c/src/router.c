// Between the generated bindings and the author's `select_peer`.

#include "internal.h"

#include <stdlib.h>
#include <string.h>

pm_answer_t select_peer(pm_request_t request);

static pm_mark_t decision_start;

bool exports_router_select_peer(router_borrow_request_t request, router_decision_t *decision, router_string_t *error) {
    decision_start = pm_arena_mark();
    pm_forget_error();
    pm_answer_t answer = select_peer(request);
    if (answer.is_err) *error = answer.val.err;
    else *decision = answer.val.ok;
    return !answer.is_err;
}

// In place of the bindings' own, which would free each text by itself: the decision is with the host.
__attribute__((__export_name__("cabi_post_select-peer")))
void __wasm_export_exports_router_select_peer_post_return(uint8_t *answer) {
    (void)answer;
    pm_arena_reset(decision_start);
}

// What the host gives is the decision's memory too. A NUL follows texts and bytes.
__attribute__((__export_name__("cabi_realloc")))
void *cabi_realloc(void *piece, size_t old_size, size_t alignment, size_t size) {
    size_t room = size + (alignment == 1);
    pm_host_allocates = true;
    if (room < size) abort();
    char *given = pm_arena_alloc(room, alignment);
    pm_host_allocates = false;
    if (old_size) memcpy(given, piece, old_size < size ? old_size : size);
    if (alignment == 1) given[size] = 0;
    return given;
}

// The bindings would have the component type linked in as an object; `pointsman build` embeds it afterwards.
void __component_type_object_force_link_router(void) {}
void __component_type_object_force_link_configured(void) {}
