// Where a function takes a `pm_text_t`, C code may give it a string or bytes as well: `pm_http("127.0.0.1:9101")`. Each of
// these macros has the name of its function, and makes texts of such arguments. An argument with braces and commas needs
// parentheses of its own. Included by pointsman.h.

static inline pm_text_t pm_same_text(pm_text_t text) {
    return text;
}

static inline pm_text_t pm_same_bytes(pm_bytes_t bytes) {
    return (pm_text_t){bytes.ptr, bytes.len};
}

#define PM_TEXT(value)                                                                                                 \
    _Generic((value), pm_text_t: pm_same_text, pm_bytes_t: pm_same_bytes, char *: pm_text, const char *: pm_text)(value)

#define pm_present(text) pm_present(PM_TEXT(text))
#define pm_equal(a, b) pm_equal(PM_TEXT(a), PM_TEXT(b))
#define pm_starts_with(text, prefix) pm_starts_with(PM_TEXT(text), PM_TEXT(prefix))
#define pm_copy(text) pm_copy(PM_TEXT(text))
#define pm_slice(text, start, end) pm_slice(PM_TEXT(text), start, end)
#define pm_bytes(text) pm_bytes(PM_TEXT(text))
#define pm_percent_decoded(text) pm_percent_decoded(PM_TEXT(text))
#define pm_add_text(texts, text) pm_add_text(texts, PM_TEXT(text))
#define pm_some(text) pm_some(PM_TEXT(text))
#define pm_query_param(request, name) pm_query_param(request, PM_TEXT(name))
#define pm_header(request, name) pm_header(request, PM_TEXT(name))
#define pm_header_bytes(request, name) pm_header_bytes(request, PM_TEXT(name))
#define pm_header_values(request, name) pm_header_values(request, PM_TEXT(name))
#define pm_cookie(request, name) pm_cookie(request, PM_TEXT(name))
#define pm_http(address) pm_http(PM_TEXT(address))
#define pm_https(address) pm_https(PM_TEXT(address))
#define pm_connect_proxy(peer, address) pm_connect_proxy(peer, PM_TEXT(address))
#define pm_add_header(headers, name, value) pm_add_header(headers, PM_TEXT(name), PM_TEXT(value))
#define pm_body_text(response, text) pm_body_text(response, PM_TEXT(text))
#define pm_body_json(response, json) pm_body_json(response, PM_TEXT(json))
#define pm_error(message) pm_error(PM_TEXT(message))
#define pm_fail(message) pm_fail(PM_TEXT(message))
#define pm_config_text(pointer, value) pm_config_text(PM_TEXT(pointer), value)
#define pm_config_text_or(pointer, fallback, value)                                                                    \
    pm_config_text_or(PM_TEXT(pointer), PM_TEXT(fallback), value)
#define pm_config_texts(pointer, values) pm_config_texts(PM_TEXT(pointer), values)
#define pm_config_items(pointer, items) pm_config_items(PM_TEXT(pointer), items)
#define pm_config_name(pointer) pm_config_name(PM_TEXT(pointer))
#define pm_config_number(pointer, value) pm_config_number(PM_TEXT(pointer), value)
#define pm_config_number_or(pointer, fallback, value) pm_config_number_or(PM_TEXT(pointer), fallback, value)
#define pm_config_integer(pointer, min, max, value) pm_config_integer(PM_TEXT(pointer), min, max, value)
#define pm_config_flag(pointer, value) pm_config_flag(PM_TEXT(pointer), value)
#define pm_config_get(pointer) pm_config_get(PM_TEXT(pointer))
#define pm_config_get_text(pointer) pm_config_get_text(PM_TEXT(pointer))
#define pm_hash(key) pm_hash(PM_TEXT(key))
#define pm_percent(key) pm_percent(PM_TEXT(key))
#define pm_pick(key, nodes) pm_pick(PM_TEXT(key), nodes)
#define pm_rank(key, nodes) pm_rank(PM_TEXT(key), nodes)
#define pm_log(level, message) pm_log(level, PM_TEXT(message))
#define pm_shared_add(key, amount, sum) pm_shared_add(PM_TEXT(key), amount, sum)
#define pm_shared_add_for(ttl_ms, key, amount, sum) pm_shared_add_for(ttl_ms, PM_TEXT(key), amount, sum)
#define pm_shared_counter(key, value) pm_shared_counter(PM_TEXT(key), value)
#define pm_shared_get(key) pm_shared_get(PM_TEXT(key))
#define pm_shared_set(key, value) pm_shared_set(PM_TEXT(key), PM_TEXT(value))
#define pm_shared_set_for(ttl_ms, key, value) pm_shared_set_for(ttl_ms, PM_TEXT(key), PM_TEXT(value))
#define pm_shared_compare_and_set(key, expected, value, swapped)                                                       \
    pm_shared_compare_and_set(PM_TEXT(key), PM_TEXT(expected), PM_TEXT(value), swapped)
#define pm_shared_delete(key) pm_shared_delete(PM_TEXT(key))
#define pm_upstream(address) pm_upstream(PM_TEXT(address))
#define pm_upstream_group(name, members) pm_upstream_group(PM_TEXT(name), members)

// One to eight texts, strings or bytes, one after the other.
#define pm_join(...) pm_join_texts((const pm_text_t[]){PM_TEXTS(__VA_ARGS__)}, PM_COUNT(__VA_ARGS__))
#define PM_COUNT(...) PM_NINTH(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, )
#define PM_TEXTS(...) PM_GLUE(PM_TEXTS, PM_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define PM_NINTH(a, b, c, d, e, f, g, h, ninth, ...) ninth
#define PM_GLUE(a, b) PM_GLUED(a, b)
#define PM_GLUED(a, b) a##b
#define PM_TEXTS1(a) PM_TEXT(a)
#define PM_TEXTS2(a, ...) PM_TEXT(a), PM_TEXTS1(__VA_ARGS__)
#define PM_TEXTS3(a, ...) PM_TEXT(a), PM_TEXTS2(__VA_ARGS__)
#define PM_TEXTS4(a, ...) PM_TEXT(a), PM_TEXTS3(__VA_ARGS__)
#define PM_TEXTS5(a, ...) PM_TEXT(a), PM_TEXTS4(__VA_ARGS__)
#define PM_TEXTS6(a, ...) PM_TEXT(a), PM_TEXTS5(__VA_ARGS__)
#define PM_TEXTS7(a, ...) PM_TEXT(a), PM_TEXTS6(__VA_ARGS__)
#define PM_TEXTS8(a, ...) PM_TEXT(a), PM_TEXTS7(__VA_ARGS__)
