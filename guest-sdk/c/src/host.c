// The other imports of a module.

#include "internal.h"

void pm_log(pointsman_router_log_level_t level, pm_text_t message) {
    pointsman_router_log_log(level, &message);
}

static pm_shared_error_t shared_error;

pm_shared_error_t pm_shared_error(void) {
    return shared_error;
}

pm_text_t pm_shared_error_name(pm_shared_error_t error) {
    static const char *const names[] = {"full", "too-long", "other-kind", "overflow"};
    return pm_text(error < sizeof names / sizeof *names ? names[error] : "other");
}

static bool done(bool ok) {
    if (ok) return true;
    pm_text_t parts[] = {pm_text("shared: "), pm_shared_error_name(shared_error)};
    return pm_fail(pm_join_texts(parts, 2));
}

bool pm_shared_add(pm_text_t key, int64_t amount, int64_t *sum) {
    return done(pointsman_router_shared_add(&key, amount, NULL, sum, &shared_error));
}

bool pm_shared_add_for(uint32_t ttl_ms, pm_text_t key, int64_t amount, int64_t *sum) {
    return done(pointsman_router_shared_add(&key, amount, &ttl_ms, sum, &shared_error));
}

bool pm_shared_counter(pm_text_t key, int64_t *value) {
    return pointsman_router_shared_counter(&key, value);
}

pm_bytes_t pm_shared_get(pm_text_t key) {
    pm_bytes_t value;
    return pointsman_router_shared_get(&key, &value) ? value : (pm_bytes_t){0};
}

static bool set(pm_text_t key, pm_text_t value, uint32_t *ttl_ms) {
    pm_bytes_t bytes = pm_bytes(value);
    return done(pointsman_router_shared_set(&key, &bytes, ttl_ms, &shared_error));
}

bool pm_shared_set(pm_text_t key, pm_text_t value) {
    return set(key, value, NULL);
}

bool pm_shared_set_for(uint32_t ttl_ms, pm_text_t key, pm_text_t value) {
    return set(key, value, &ttl_ms);
}

bool pm_shared_compare_and_set(pm_text_t key, pm_text_t expected, pm_text_t value, bool *swapped) {
    pm_bytes_t before = pm_bytes(expected), after = pm_bytes(value);
    pm_bytes_t *maybe = pm_present(expected) ? &before : NULL;
    return done(pointsman_router_shared_compare_and_set(&key, maybe, &after, NULL, swapped, &shared_error));
}

void pm_shared_delete(pm_text_t key) {
    pointsman_router_shared_delete(&key);
}

pm_upstream_t pm_upstream(pm_text_t address) {
    pm_upstream_t upstream;
    pointsman_router_upstreams_get(&address, &upstream);
    return upstream;
}

bool pm_upstream_group(pm_text_t name, pm_upstreams_t *members) {
    if (pointsman_router_upstreams_group(&name, members)) return true;
    pm_text_t parts[] = {pm_text("there is no group `"), name, pm_text("`; the operator defines it")};
    return pm_fail(pm_join_texts(parts, 3));
}

uint64_t pm_now_ms(void) {
    return pointsman_router_clock_now_ms();
}

uint64_t pm_random(void) {
    return pointsman_router_random_get_u64();
}

size_t pm_random_below(size_t end) {
    // The upper half of a 128-bit product is below `end`.
    __extension__ typedef unsigned __int128 wide_t;
    return (size_t)((wide_t)pm_random() * end >> 64);
}

bool pm_random_two(size_t end, size_t *first, size_t *second) {
    if (end < 2) return false;
    *first = pm_random_below(end);
    *second = pm_random_below(end - 1);
    *second += *second >= *first;
    return true;
}
