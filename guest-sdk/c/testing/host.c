// What the host has beside the request: configuration, log, time, chance, shared entries, upstreams.

#include "../pointsman_testing.h"

_Noreturn static void wrong(const char *what, const char *value) {
    fprintf(stderr, "test: %s: `%s`\n", what, value);
    exit(1);
}

static const char *config_table = "{}";
static pm_text_t log_lines;
static uint64_t now = 1767225600000;
static uint64_t next_random = 1, random_bits;
static bool has_random_bits;

void pm_test_config(const char *json) {
    const char *end = pm_json_value_end(json);
    if (!end || *pm_json_space(end)) wrong("the configuration is no JSON", json);
    if (*pm_json_space(json) != '{') wrong("the configuration is no JSON object", json);
    config_table = json;
}

void pointsman_router_config_json(router_string_t *ret) {
    *ret = compact(pm_json_space(config_table));
}

bool pointsman_router_config_get(router_string_t *pointer, router_string_t *ret) {
    const char *value = find(config_table, *pointer);
    if (value) *ret = compact(value);
    return value;
}

bool pointsman_router_config_get_text(router_string_t *pointer, router_string_t *ret) {
    const char *value = find(config_table, *pointer);
    if (!value || *value != '"') return false;
    *ret = pm_json_text(value);
    return true;
}

void pointsman_router_log_log(pointsman_router_log_level_t level, router_string_t *message) {
    static const char *const names[] = {"trace ", "debug ", "info ", "warn ", "error "};
    pm_text_t parts[] = {log_lines, pm_text(names[level]), *message, pm_text("\n")};
    log_lines = pm_join_texts(parts, 4);
}

pm_text_t pm_test_log(void) {
    pm_text_t lines = pm_present(log_lines) ? log_lines : pm_text("");
    log_lines = pm_text(NULL);
    return lines;
}

void pm_test_clock(uint64_t now_ms) {
    now = now_ms;
}

uint64_t pointsman_router_clock_now_ms(void) {
    return now;
}

void pm_test_random(uint64_t bits) {
    random_bits = bits;
    has_random_bits = true;
}

uint64_t pointsman_router_random_get_u64(void) {
    if (!has_random_bits) return next_random++;
    has_random_bits = false;
    return random_bits;
}

// --- Shared entries ---

typedef struct entry {
    struct entry *next;
    pm_text_t key;
    bool is_counter;
    int64_t count;
    pm_bytes_t value;
    uint64_t end; // 0: it stays
} entry_t;

static entry_t *entries;

static entry_t *entry_of(pm_text_t key) {
    for (entry_t **at = &entries; *at; at = &(*at)->next) {
        if (!pm_equal((*at)->key, key)) continue;
        if (!(*at)->end || (*at)->end > now) return *at;
        *at = (*at)->next;
        return NULL;
    }
    return NULL;
}

static entry_t *new_entry(pm_text_t key, const uint32_t *ttl_ms) {
    entry_t *entry = pm_alloc(sizeof *entry);
    *entry = (entry_t){.next = entries, .key = pm_copy(key), .end = ttl_ms ? now + *ttl_ms : 0};
    return entries = entry;
}

static bool fits(pm_text_t key, size_t value_len, pm_shared_error_t *error) {
    if (key.len <= 256 && value_len <= 16384) return true;
    *error = PM_SHARED_TOO_LONG;
    return false;
}

bool pointsman_router_shared_add(router_string_t *key, int64_t amount, uint32_t *ttl_ms, int64_t *sum,
                                 pointsman_router_shared_error_t *error) {
    if (!fits(*key, 0, error)) return false;
    entry_t *entry = entry_of(*key);
    *error = PM_SHARED_OTHER_KIND;
    if (entry && !entry->is_counter) return false;
    int64_t count;
    *error = PM_SHARED_OVERFLOW;
    if (__builtin_add_overflow(entry ? entry->count : 0, amount, &count)) return false;
    if (!entry) entry = new_entry(*key, ttl_ms);
    entry->is_counter = true;
    *sum = entry->count = count;
    return true;
}

bool pointsman_router_shared_counter(router_string_t *key, int64_t *ret) {
    entry_t *entry = entry_of(*key);
    if (!entry || !entry->is_counter) return false;
    *ret = entry->count;
    return true;
}

bool pointsman_router_shared_get(router_string_t *key, router_list_u8_t *ret) {
    entry_t *entry = entry_of(*key);
    if (!entry || entry->is_counter) return false;
    *ret = entry->value;
    return true;
}

void pointsman_router_shared_delete(router_string_t *key) {
    for (entry_t **at = &entries; *at; at = &(*at)->next) {
        if (!pm_equal((*at)->key, *key)) continue;
        *at = (*at)->next;
        return;
    }
}

bool pointsman_router_shared_set(router_string_t *key, router_list_u8_t *value, uint32_t *ttl_ms,
                                 pointsman_router_shared_error_t *error) {
    if (!fits(*key, value->len, error)) return false;
    entry_t *entry = entry_of(*key);
    *error = PM_SHARED_OTHER_KIND;
    if (entry && entry->is_counter) return false;
    if (entry) pointsman_router_shared_delete(key);
    pm_text_t copy = pm_copy((pm_text_t){value->ptr, value->len});
    new_entry(*key, ttl_ms)->value = pm_bytes(copy);
    return true;
}

bool pointsman_router_shared_compare_and_set(router_string_t *key, router_list_u8_t *expected, router_list_u8_t *value,
                                             uint32_t *ttl_ms, bool *swapped, pointsman_router_shared_error_t *error) {
    entry_t *entry = entry_of(*key);
    *error = PM_SHARED_OTHER_KIND;
    if (entry && entry->is_counter) return false;
    if (entry) {
        pm_text_t found = {entry->value.ptr, entry->value.len};
        *swapped = expected && pm_equal(found, (pm_text_t){expected->ptr, expected->len});
    } else {
        *swapped = !expected;
    }
    return !*swapped || pointsman_router_shared_set(key, value, ttl_ms, error);
}

// --- Upstreams ---

typedef struct {
    pm_text_t name;
    pm_upstreams_t members;
} group_t;

static pm_upstreams_t known;

static struct {
    group_t *ptr;
    size_t len;
} groups;

void pm_test_upstream(pm_upstream_t upstream) {
    *PM_GROW(&known) = upstream;
}

void pm_test_group(const char *name, pm_upstreams_t members) {
    *PM_GROW(&groups) = (group_t){pm_text(name), members};
}

void pointsman_router_upstreams_get(router_string_t *address, pointsman_router_upstreams_upstream_t *ret) {
    *ret = (pm_upstream_t){.address = *address};
    // The last one that was set counts.
    for (size_t i = 0; i < known.len; i++) {
        if (pm_equal(known.ptr[i].address, *address)) *ret = known.ptr[i];
    }
}

bool pointsman_router_upstreams_group(router_string_t *name, pointsman_router_upstreams_list_upstream_t *ret) {
    bool found = false;
    for (size_t i = 0; i < groups.len; i++) {
        if (!pm_equal(groups.ptr[i].name, *name)) continue;
        *ret = groups.ptr[i].members;
        found = true;
    }
    return found;
}

static void forget_requests(void);

void pm_test_reset(void) {
    config_table = "{}";
    log_lines = pm_text(NULL);
    now = 1767225600000;
    next_random = 1;
    has_random_bits = false;
    entries = NULL;
    known = (pm_upstreams_t){0};
    groups.len = 0;
    groups.ptr = NULL;
    forget_requests();
}
