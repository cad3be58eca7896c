// The other imports of a module: log, shared entries, upstreams, time and chance. Included by pointsman.h.

// --- The tenant's log -----------------------------------------------------------------------------------------------

enum {
    PM_TRACE = POINTSMAN_ROUTER_LOG_LEVEL_TRACE,
    PM_DEBUG = POINTSMAN_ROUTER_LOG_LEVEL_DEBUG,
    PM_INFO = POINTSMAN_ROUTER_LOG_LEVEL_INFO,
    PM_WARN = POINTSMAN_ROUTER_LOG_LEVEL_WARN,
    PM_ERROR = POINTSMAN_ROUTER_LOG_LEVEL_ERROR,
};

// Writes a line. Beyond the tenant's `limits.log_bytes` a decision's lines are cut.
void pm_log(pointsman_router_log_level_t level, pm_text_t message);

// --- Entries that outlive a decision --------------------------------------------------------------------------------

// Counters and small values that the tenant's modules share, in the proxy's memory; gone when it restarts. A key has at
// most 256 bytes, a value at most 16,384; together they take at most the tenant's `quota.shared_bytes`. So an error is
// not unusual, and a good module handles it. A decision that calls any of these is never cached.

typedef pointsman_router_shared_error_t pm_shared_error_t;

enum {
    PM_SHARED_FULL = POINTSMAN_ROUTER_SHARED_ERROR_FULL,
    PM_SHARED_TOO_LONG = POINTSMAN_ROUTER_SHARED_ERROR_TOO_LONG,
    PM_SHARED_OTHER_KIND = POINTSMAN_ROUTER_SHARED_ERROR_OTHER_KIND,
    PM_SHARED_OVERFLOW = POINTSMAN_ROUTER_SHARED_ERROR_OVERFLOW,
    PM_SHARED_OTHER = POINTSMAN_ROUTER_SHARED_ERROR_OTHER,
};

// Why the last of these calls that failed did; `pm_failed` has it in words.
pm_shared_error_t pm_shared_error(void);

// The name that the WIT has: `too-long`.
pm_text_t pm_shared_error_name(pm_shared_error_t error);

// Adds to a counter, which is created with 0 if it is absent, and returns the sum.
PM_CHECKED bool pm_shared_add(pm_text_t key, int64_t amount, int64_t *sum);

// The same; a new counter expires after this time, in milliseconds. So it counts the events within that time.
PM_CHECKED bool pm_shared_add_for(uint32_t ttl_ms, pm_text_t key, int64_t amount, int64_t *sum);

// A counter. False if there is none; that is no error.
bool pm_shared_counter(pm_text_t key, int64_t *value);

// A value. Absent if there is none.
pm_bytes_t pm_shared_get(pm_text_t key);

// Creates or replaces a value.
PM_CHECKED bool pm_shared_set(pm_text_t key, pm_text_t value);

// The same; the value expires after this time, in milliseconds.
PM_CHECKED bool pm_shared_set_for(uint32_t ttl_ms, pm_text_t key, pm_text_t value);

// Creates or replaces a value if the current one is as expected; absent: if it is absent. Returns whether it was.
PM_CHECKED bool pm_shared_compare_and_set(pm_text_t key, pm_text_t expected, pm_text_t value, bool *swapped);

// Removes a counter or a value, if it exists.
void pm_shared_delete(pm_text_t key);

// --- What the proxy saw of upstreams --------------------------------------------------------------------------------

typedef pointsman_router_upstreams_upstream_t pm_upstream_t;
typedef pointsman_router_upstreams_list_upstream_t pm_upstreams_t;

enum { // upstream.health
    PM_HEALTH_UNKNOWN = POINTSMAN_ROUTER_UPSTREAMS_HEALTH_UNKNOWN,
    PM_HEALTHY = POINTSMAN_ROUTER_UPSTREAMS_HEALTH_HEALTHY,
    PM_UNHEALTHY = POINTSMAN_ROUTER_UPSTREAMS_HEALTH_UNHEALTHY,
};

// The statistics of an address, in a group or not.
pm_upstream_t pm_upstream(pm_text_t address);

// The members of a group that the operator defined, in its order.
PM_CHECKED bool pm_upstream_group(pm_text_t name, pm_upstreams_t *members);

// --- Time and chance ------------------------------------------------------------------------------------------------

// Milliseconds since 1970-01-01 00:00 UTC. It does not advance while a decision runs.
uint64_t pm_now_ms(void);

// 64 unpredictable bits. For a choice that a visitor keeps, see `pm_percent`.
uint64_t pm_random(void);

// A number from 0 to `end`, without `end` itself; 0 if that is 0.
size_t pm_random_below(size_t end);

// Two different numbers below `end`, in random order. False, without asking for chance, if `end` is below 2.
bool pm_random_two(size_t end, size_t *first, size_t *second);
