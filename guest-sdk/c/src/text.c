// Texts and bytes.

#include "internal.h"

#include <string.h>

pm_text_t pm_text(const char *string) {
    return (pm_text_t){(uint8_t *)string, string ? strlen(string) : 0};
}

bool pm_present(pm_text_t text) {
    return text.ptr != NULL;
}

bool pm_equal(pm_text_t a, pm_text_t b) {
    return a.ptr && b.ptr && a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool pm_starts_with(pm_text_t text, pm_text_t prefix) {
    return text.ptr && prefix.ptr && text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

pm_text_t pm_slice(pm_text_t text, size_t start, size_t end) {
    if (end > text.len) end = text.len;
    if (start > end) start = end;
    return (pm_text_t){text.ptr + start, end - start};
}

static pm_text_t room_for(size_t len) {
    uint8_t *ptr = pm_arena_alloc(len + 1, 1);
    ptr[len] = 0;
    return (pm_text_t){ptr, len};
}

pm_text_t pm_copy(pm_text_t text) {
    return pm_present(text) ? pm_join_texts(&text, 1) : text;
}

pm_text_t pm_join_texts(const pm_text_t *texts, size_t count) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) len += texts[i].len;
    pm_text_t joined = room_for(len);
    uint8_t *end = joined.ptr;
    for (size_t i = 0; i < count; i++) {
        if (texts[i].len) memcpy(end, texts[i].ptr, texts[i].len);
        end += texts[i].len;
    }
    return joined;
}

pm_text_t pm_decimal(int64_t number) {
    char digits[21];
    char *start = digits + sizeof digits - 1;
    *start = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do *--start = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) *--start = '-';
    return pm_copy(pm_text(start));
}

// How many bytes at the start of `bytes` are one character, or the longest start of one; `whole` tells which. These are
// the well-formed sequences of table 3-7 of the Unicode standard.
static size_t character(const uint8_t *bytes, size_t len, bool *whole) {
    uint8_t lead = bytes[0];
    size_t needed = 0;
    if (lead < 0x80) needed = 1;
    else if (lead >= 0xc2 && lead < 0xe0) needed = 2;
    else if (lead >= 0xe0 && lead < 0xf0) needed = 3;
    else if (lead >= 0xf0 && lead < 0xf5) needed = 4;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    size_t found = 1;
    while (found < needed && found < len && bytes[found] >= low && bytes[found] <= high) {
        found++;
        low = 0x80;
        high = 0xbf;
    }
    *whole = found == needed;
    return found;
}

static size_t copy_lossy(const uint8_t *bytes, size_t len, uint8_t *to) {
    size_t written = 0;
    while (len) {
        bool whole;
        size_t found = character(bytes, len, &whole);
        const uint8_t *from = whole ? bytes : (const uint8_t *)"\xef\xbf\xbd";
        size_t size = whole ? found : 3;
        if (to) memcpy(to + written, from, size);
        written += size;
        bytes += found;
        len -= found;
    }
    return written;
}

pm_text_t pm_utf8(pm_bytes_t bytes) {
    if (!bytes.ptr) return pm_text(NULL);
    pm_text_t text = room_for(copy_lossy(bytes.ptr, bytes.len, NULL));
    copy_lossy(bytes.ptr, bytes.len, text.ptr);
    return text;
}

pm_bytes_t pm_bytes(pm_text_t text) {
    return (pm_bytes_t){text.ptr, text.len};
}

static int hex(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static pm_text_t decoded(pm_text_t text, uint8_t space) {
    if (!pm_present(text)) return text;
    pm_text_t bytes = room_for(text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == space) {
            byte = ' ';
        } else if (byte == '%' && text.len - i > 2 && hex(text.ptr[i + 1]) >= 0 && hex(text.ptr[i + 2]) >= 0) {
            byte = (uint8_t)(hex(text.ptr[i + 1]) << 4 | hex(text.ptr[i + 2]));
            i += 2;
        }
        bytes.ptr[len++] = byte;
    }
    return pm_utf8((pm_bytes_t){bytes.ptr, len});
}

pm_text_t pm_percent_decoded(pm_text_t text) {
    return decoded(text, ' ');
}

pm_text_t pm_form_decoded(pm_text_t text) {
    return decoded(text, '+');
}

void pm_add_text(pm_texts_t *texts, pm_text_t text) {
    *PM_GROW(texts) = text;
}

pm_optional_text_t pm_some(pm_text_t text) {
    return (pm_optional_text_t){pm_present(text), text};
}

router_option_bool_t pm_some_bool(bool value) {
    return (router_option_bool_t){true, value};
}

router_option_u8_t pm_some_u8(uint8_t value) {
    return (router_option_u8_t){true, value};
}

router_option_u32_t pm_some_u32(uint32_t value) {
    return (router_option_u32_t){true, value};
}
