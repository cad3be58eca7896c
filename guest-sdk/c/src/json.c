// JSON as the host writes it: where a value ends, and the text of a string. The test kit reads a test's with it too.

#include "internal.h"

#include <string.h>

const char *pm_json_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

const char *pm_json_string_end(const char *at) {
    if (*at++ != '"') return NULL;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && !*++at) return NULL;
    }
    return *at ? at + 1 : NULL;
}

const char *pm_json_key_end(const char *at) {
    at = pm_json_string_end(at);
    if (!at || *(at = pm_json_space(at)) != ':') return NULL;
    return pm_json_space(at + 1);
}

// Behind the list or the object that begins here.
static const char *members_end(const char *at, char end) {
    at = pm_json_space(at + 1);
    if (*at == end) return at + 1;
    for (;; at++) {
        at = pm_json_space(at);
        if (end == '}' && !(at = pm_json_key_end(at))) return NULL;
        at = pm_json_value_end(at);
        if (!at) return NULL;
        at = pm_json_space(at);
        if (*at == end) return at + 1;
        if (*at != ',') return NULL;
    }
}

const char *pm_json_value_end(const char *at) {
    at = pm_json_space(at);
    if (*at == '"') return pm_json_string_end(at);
    if (*at == '{') return members_end(at, '}');
    if (*at == '[') return members_end(at, ']');
    // Of numbers and words only the characters are looked at.
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
    uint32_t number = 0;
    for (int i = 0; i < 4 && at[i]; i++) {
        uint32_t digit = at[i] <= '9' ? (uint32_t)(at[i] - '0') : (uint32_t)((at[i] | 0x20) - 'a') + 10;
        number = number << 4 | (digit & 15);
    }
    return number;
}

pm_text_t pm_json_text(const char *at) {
    const char *end = pm_json_string_end(at) - 1;
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

pm_text_t pm_pointer_name(const char *token, size_t len) {
    pm_text_t text = {pm_alloc(len + 1), 0};
    for (size_t i = 0; i < len; i++) {
        bool escaped = token[i] == '~' && i + 1 < len;
        if (escaped) i++;
        text.ptr[text.len++] = (uint8_t)(escaped ? (token[i] == '1' ? '/' : '~') : token[i]);
    }
    text.ptr[text.len] = 0;
    return text;
}

pm_text_t pm_pointer_token(pm_text_t name) {
    pm_text_t text = {pm_alloc(name.len * 2 + 1), 0};
    for (size_t i = 0; i < name.len; i++) {
        bool escaped = name.ptr[i] == '~' || name.ptr[i] == '/';
        text.ptr[text.len++] = escaped ? '~' : name.ptr[i];
        if (escaped) text.ptr[text.len++] = name.ptr[i] == '/' ? '1' : '0';
    }
    text.ptr[text.len] = 0;
    return text;
}
