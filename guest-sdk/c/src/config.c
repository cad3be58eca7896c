// The configuration, and why a call failed.

#include "internal.h"

#include <string.h>

static pm_text_t failure;

bool pm_fail(pm_text_t message) {
    failure = pm_copy(message);
    return false;
}

void pm_forget_error(void) {
    failure = pm_text(NULL);
}

pm_text_t pm_failed_because(void) {
    return failure;
}

pm_answer_t pm_failed(void) {
    return pm_error(pm_present(failure) ? failure : pm_text("`pm_failed` where nothing failed"));
}

pm_text_t pm_config_json(void) {
    pm_text_t json;
    pointsman_router_config_json(&json);
    return json;
}

pm_text_t pm_config_get(pm_text_t pointer) {
    pm_text_t json;
    return pointsman_router_config_get(&pointer, &json) ? json : pm_text(NULL);
}

pm_text_t pm_config_get_text(pm_text_t pointer) {
    pm_text_t text;
    return pointsman_router_config_get_text(&pointer, &text) ? text : pm_text(NULL);
}

static bool missing(pm_text_t pointer) {
    pm_text_t parts[] = {pm_text("config: `"), pointer, pm_text("` is missing")};
    return pm_fail(pm_join_texts(parts, 3));
}

static bool is_not(pm_text_t pointer, const char *expected) {
    pm_text_t parts[] = {pm_text("config: `"), pointer, pm_text("` is not "), pm_text(expected)};
    return pm_fail(pm_join_texts(parts, 4));
}

// Absent where there is no such value; false if it is no text.
static bool optional_text(pm_text_t pointer, pm_text_t *value) {
    *value = pm_config_get_text(pointer);
    return pm_present(*value) || !pm_present(pm_config_get(pointer)) || is_not(pointer, "a text");
}

bool pm_config_text(pm_text_t pointer, pm_text_t *value) {
    pm_text_t found;
    if (!optional_text(pointer, &found)) return false;
    if (!pm_present(found)) return missing(pointer);
    *value = found;
    return true;
}

bool pm_config_text_or(pm_text_t pointer, pm_text_t fallback, pm_text_t *value) {
    pm_text_t found;
    if (!optional_text(pointer, &found)) return false;
    *value = pm_present(found) ? found : fallback;
    return true;
}

bool pm_config_texts(pm_text_t pointer, pm_texts_t *values) {
    pm_text_t list = pm_config_get(pointer);
    if (!pm_present(list)) return missing(pointer);
    if (!pm_starts_with(list, pm_text("["))) return is_not(pointer, "a list");
    for (pm_texts_t found = {0};;) {
        pm_text_t parts[] = {pointer, pm_text("/"), pm_decimal((int64_t)found.len)};
        pm_text_t value;
        if (!optional_text(pm_join_texts(parts, 3), &value)) return false;
        if (!pm_present(value)) {
            *values = found;
            return true;
        }
        pm_add_text(&found, value);
    }
}

bool pm_config_items(pm_text_t pointer, pm_texts_t *items) {
    pm_text_t json = pm_config_get(pointer);
    if (!pm_present(json)) return missing(pointer);
    bool table = pm_starts_with(json, pm_text("{"));
    if (!table && !pm_starts_with(json, pm_text("["))) return is_not(pointer, "a list or a table");
    pm_texts_t found = {0};
    const char *at = pm_json_space((const char *)json.ptr + 1);
    while (*at != '}' && *at != ']') {
        pm_text_t name = table ? pm_pointer_token(pm_json_text(at)) : pm_decimal((int64_t)found.len);
        pm_text_t parts[] = {pointer, pm_text("/"), name};
        pm_add_text(&found, pm_join_texts(parts, 3));
        at = pm_json_space(pm_json_value_end(table ? pm_json_key_end(at) : at));
        if (*at == ',') at = pm_json_space(at + 1);
    }
    *items = found;
    return true;
}

pm_text_t pm_config_name(pm_text_t pointer) {
    size_t start = pointer.len;
    while (start && pointer.ptr[start - 1] != '/') start--;
    return pm_pointer_name((const char *)pointer.ptr + start, pointer.len - start);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static double scaled(double number, int exponent) {
    // Powers up to 10^22 are exact, so one step is rounded once.
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    // Beyond what a double can hold, and without end for absurd exponents.
    for (; exponent > 22 && number != 0 && number < 1e308; exponent -= 22) number *= 1e22;
    for (; exponent < -22 && number != 0; exponent += 22) number /= 1e22;
    if (number == 0) return 0;
    if (exponent > 22) return number * 1e22;
    return exponent < 0 ? number / powers[-exponent] : number * powers[exponent];
}

// A number as JSON writes it. `strtod` would make a module four times as large.
static bool parse_number(pm_text_t json, double *value) {
    const char *at = (const char *)json.ptr, *end = at + json.len;
    bool negative = at < end && *at == '-';
    if (negative) at++;
    if (at == end || !is_digit(*at)) return false;
    uint64_t digits = 0;
    int exponent = 0;
    bool fraction = false;
    for (; at < end && (is_digit(*at) || (*at == '.' && !fraction)); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        bool fits = digits <= (UINT64_MAX - 9) / 10;
        if (fits) digits = digits * 10 + (uint64_t)(*at - '0');
        exponent += !fits - fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool down = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        int power = 0;
        for (; at < end && is_digit(*at); at++) power = power < 100000 ? power * 10 + (*at - '0') : power;
        exponent += down ? -power : power;
    }
    if (at != end) return false;
    *value = scaled((double)digits, exponent) * (negative ? -1 : 1);
    return true;
}

static bool number_of(pm_text_t pointer, pm_text_t json, double *value) {
    double number;
    if (!parse_number(json, &number)) return is_not(pointer, "a number");
    *value = number;
    return true;
}

bool pm_config_number(pm_text_t pointer, double *value) {
    pm_text_t json = pm_config_get(pointer);
    return pm_present(json) ? number_of(pointer, json, value) : missing(pointer);
}

bool pm_config_number_or(pm_text_t pointer, double fallback, double *value) {
    pm_text_t json = pm_config_get(pointer);
    if (pm_present(json)) return number_of(pointer, json, value);
    *value = fallback;
    return true;
}

static bool parse_integer(pm_text_t json, int64_t *value) {
    bool negative = json.len && json.ptr[0] == '-';
    if (json.len == (size_t)negative) return false;
    int64_t number = 0;
    for (size_t i = negative; i < json.len; i++) {
        if (!is_digit((char)json.ptr[i])) return false;
        int digit = json.ptr[i] - '0';
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_add_overflow(number, negative ? -digit : digit, &number)) return false;
    }
    *value = number;
    return true;
}

bool pm_config_integer(pm_text_t pointer, int64_t min, int64_t max, int64_t *value) {
    pm_text_t json = pm_config_get(pointer);
    if (!pm_present(json)) return missing(pointer);
    double number;
    if (!parse_number(json, &number)) return is_not(pointer, "a number");
    int64_t found;
    if (!parse_integer(json, &found) || found < min || found > max) {
        pm_text_t parts[] = {pm_text("a whole number from "), pm_decimal(min), pm_text(" to "), pm_decimal(max)};
        return is_not(pointer, (char *)pm_join_texts(parts, 4).ptr);
    }
    *value = found;
    return true;
}

bool pm_config_flag(pm_text_t pointer, bool *value) {
    pm_text_t json = pm_config_get(pointer);
    bool on = pm_equal(json, pm_text("true"));
    if (pm_present(json) && !on && !pm_equal(json, pm_text("false"))) return is_not(pointer, "true or false");
    *value = on;
    return true;
}
