// The `config` interface of a test: values by their pointer, without white space around and within them.

#include "../src/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *member(const char *at, pm_text_t name) {
    char kind = *at;
    at = pm_json_space(at + 1);
    for (size_t index = 0; *at != ']' && *at != '}'; index++) {
        pm_text_t own = pm_decimal((int64_t)index);
        if (kind == '{') {
            own = pm_json_text(at);
            at = pm_json_key_end(at);
        }
        if (pm_equal(own, name)) return at;
        at = pm_json_space(pm_json_value_end(at));
        if (*at == ',') at = pm_json_space(at + 1);
    }
    return NULL;
}

// Where the value of a pointer begins. NULL if it is absent.
static const char *find(const char *json, pm_text_t pointer) {
    const char *rest = (const char *)pm_copy(pointer).ptr;
    json = pm_json_space(json);
    while (json && *rest) {
        if (*rest++ != '/' || (*json != '{' && *json != '[')) return NULL;
        size_t len = strcspn(rest, "/");
        json = member(json, pm_pointer_name(rest, len));
        rest += len;
    }
    return json;
}

// The value that begins here, without white space.
static pm_text_t compact(const char *at) {
    const char *end = pm_json_value_end(at);
    pm_text_t text = {pm_alloc((size_t)(end - at) + 1), 0};
    while (at < end) {
        const char *next = *at == '"' ? pm_json_string_end(at) : at + 1;
        if (strchr(" \t\r\n", *at) == NULL) {
            memcpy(text.ptr + text.len, at, (size_t)(next - at));
            text.len += (size_t)(next - at);
        }
        at = next;
    }
    text.ptr[text.len] = 0;
    return text;
}
