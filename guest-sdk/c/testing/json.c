// JSON as far as the `config` interface needs it: values by their pointer, without white space around and within them.

#include "../src/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

// Behind the string that begins here. NULL if it is none.
static const char *skip_string(const char *at) {
    if (*at++ != '"') return NULL;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && !*++at) return NULL;
    }
    return *at ? at + 1 : NULL;
}

static const char *skip_value(const char *at);

// Behind the list or the object that begins here.
static const char *skip_members(const char *at, char end) {
    at = skip_space(at + 1);
    if (*at == end) return at + 1;
    for (;; at++) {
        if (end == '}') {
            at = skip_string(skip_space(at));
            if (!at || *(at = skip_space(at)) != ':') return NULL;
            at++;
        }
        at = skip_value(at);
        if (!at) return NULL;
        at = skip_space(at);
        if (*at == end) return at + 1;
        if (*at != ',') return NULL;
    }
}

// Behind the value that begins here. NULL if it is none. Of numbers and words only the characters are looked at.
static const char *skip_value(const char *at) {
    at = skip_space(at);
    if (*at == '"') return skip_string(at);
    if (*at == '{') return skip_members(at, '}');
    if (*at == '[') return skip_members(at, ']');
    size_t len = strspn(at, "+-.0123456789Eaeflnrstu");
    return len ? at + len : NULL;
}

static size_t put_utf8(uint32_t c, uint8_t *to) {
    if (c < 0x80) return to[0] = (uint8_t)c, 1;
    if (c < 0x800) return to[0] = (uint8_t)(0xc0 | c >> 6), to[1] = (uint8_t)(0x80 | (c & 63)), 2;
    size_t len = c < 0x10000 ? 3 : 4;
    to[0] = len == 3 ? (uint8_t)(0xe0 | c >> 12) : (uint8_t)(0xf0 | c >> 18);
    for (size_t i = 1; i < len; i++) to[i] = (uint8_t)(0x80 | (c >> 6 * (len - 1 - i) & 63));
    return len;
}

static uint32_t four_digits(const char *at) {
    char digits[5] = {0};
    for (int i = 0; i < 4 && at[i]; i++) digits[i] = at[i];
    return (uint32_t)strtoul(digits, NULL, 16);
}

// The text of a string literal.
static pm_text_t unescaped(const char *at) {
    const char *end = skip_string(at) - 1;
    pm_text_t text = {pm_alloc((size_t)(end - at) + 1), 0};
    for (at++; at < end; at++) {
        if (*at != '\\') {
            text.ptr[text.len++] = (uint8_t)*at;
            continue;
        }
        static const char escapes[] = "b\bf\fn\nr\rt\t";
        const char *escape = strchr(escapes, *++at);
        if (*at != 'u') {
            text.ptr[text.len++] = (uint8_t)(escape ? escape[1] : *at);
            continue;
        }
        uint32_t c = four_digits(at + 1);
        at += 4;
        if (c >> 10 == 0x36 && at[1] == '\\') { // the first half of a pair
            c = 0x10000 + ((c & 0x3ff) << 10) + (four_digits(at + 3) & 0x3ff);
            at += 6;
        }
        text.len += put_utf8(c, text.ptr + text.len);
    }
    text.ptr[text.len] = 0;
    return text;
}

// A token of a pointer, in which `~1` means `/` and `~0` means `~`.
static pm_text_t token(const char *at, size_t len) {
    pm_text_t text = {pm_alloc(len + 1), 0};
    for (size_t i = 0; i < len; i++) {
        bool escaped = at[i] == '~' && i + 1 < len;
        if (escaped) i++;
        text.ptr[text.len++] = (uint8_t)(escaped ? (at[i] == '1' ? '/' : '~') : at[i]);
    }
    text.ptr[text.len] = 0;
    return text;
}

static const char *member(const char *at, pm_text_t name) {
    char kind = *at;
    at = skip_space(at + 1);
    for (size_t index = 0; *at != ']' && *at != '}'; index++) {
        pm_text_t own = pm_decimal((int64_t)index);
        if (kind == '{') {
            own = unescaped(at);
            at = skip_space(skip_space(skip_string(at)) + 1);
        }
        if (pm_equal(own, name)) return at;
        at = skip_space(skip_value(at));
        if (*at == ',') at = skip_space(at + 1);
    }
    return NULL;
}

// Where the value of a pointer begins. NULL if it is absent.
static const char *find(const char *json, pm_text_t pointer) {
    const char *rest = (const char *)pm_copy(pointer).ptr;
    json = skip_space(json);
    while (json && *rest) {
        if (*rest++ != '/' || (*json != '{' && *json != '[')) return NULL;
        size_t len = strcspn(rest, "/");
        json = member(json, token(rest, len));
        rest += len;
    }
    return json;
}

// The value that begins here, without white space.
static pm_text_t compact(const char *at) {
    const char *end = skip_value(at);
    pm_text_t text = {pm_alloc((size_t)(end - at) + 1), 0};
    while (at < end) {
        const char *next = *at == '"' ? skip_string(at) : at + 1;
        if (strchr(" \t\r\n", *at) == NULL) {
            memcpy(text.ptr + text.len, at, (size_t)(next - at));
            text.len += (size_t)(next - at);
        }
        at = next;
    }
    text.ptr[text.len] = 0;
    return text;
}
