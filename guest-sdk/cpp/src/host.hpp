// The other imports of a module: log, shared entries, upstreams, time and chance.

#pragma once

#include <chrono>
#include <utility>

#include "peer.hpp"
#include "result.hpp"

// The tenant's log. A line is given in parts, as `join` takes them. Beyond the tenant's `limits.log_bytes` a decision's
// lines are cut.
namespace pointsman::log {

enum class Level : pointsman_router_log_level_t { trace, debug, info, warn, error };

inline void write(Level level, std::string_view line) {
    pm_log(static_cast<pointsman_router_log_level_t>(level), detail::text(line));
}

template <class... Parts>
void trace(const Parts &...parts) {
    write(Level::trace, join(parts...));
}

template <class... Parts>
void debug(const Parts &...parts) {
    write(Level::debug, join(parts...));
}

template <class... Parts>
void info(const Parts &...parts) {
    write(Level::info, join(parts...));
}

template <class... Parts>
void warn(const Parts &...parts) {
    write(Level::warn, join(parts...));
}

template <class... Parts>
void error(const Parts &...parts) {
    write(Level::error, join(parts...));
}

} // namespace pointsman::log

// Counters and small values that the tenant's modules share, in the proxy's memory; gone when it restarts. A key has at
// most 256 bytes, a value at most 16,384; together they take at most the tenant's `quota.shared_bytes`. So an error is
// not unusual, and a good module handles it. A decision that calls any of these is never cached.
namespace pointsman::shared {

enum class Error : pm_shared_error_t { full, too_long, other_kind, overflow, other };

// The name that the WIT has: `too-long`.
inline std::string_view name(Error error) {
    return detail::view(pm_shared_error_name(static_cast<pm_shared_error_t>(error)));
}

// As it goes to the log: `shared: too-long`.
inline std::string_view text_of(Error error) {
    return join("shared: ", error);
}

inline Error last_error() {
    return static_cast<Error>(pm_shared_error());
}

// Adds to a counter, which is created with 0 if it is absent, and returns the sum.
inline Result<int64_t, Error> add(std::string_view key, int64_t amount) {
    int64_t sum;
    if (!pm_shared_add(detail::text(key), amount, &sum)) return last_error();
    return sum;
}

// The same; a new counter expires after this time. So it counts the events within that time.
inline Result<int64_t, Error> add_for(std::chrono::nanoseconds time, std::string_view key, int64_t amount) {
    int64_t sum;
    if (!pm_shared_add_for(detail::millis(time), detail::text(key), amount, &sum)) return last_error();
    return sum;
}

// A counter. None if there is none.
inline std::optional<int64_t> counter(std::string_view key) {
    int64_t value;
    return pm_shared_counter(detail::text(key), &value) ? std::optional(value) : std::nullopt;
}

// A value, any bytes. None if there is none.
inline std::optional<std::string_view> get(std::string_view key) {
    return detail::optional(pm_shared_get(detail::text(key)));
}

// Creates or replaces a value.
inline Result<void, Error> set(std::string_view key, std::string_view value) {
    if (!pm_shared_set(detail::text(key), detail::text(value))) return last_error();
    return {};
}

// The same; the value expires after this time.
inline Result<void, Error> set_for(std::chrono::nanoseconds time, std::string_view key, std::string_view value) {
    if (!pm_shared_set_for(detail::millis(time), detail::text(key), detail::text(value))) return last_error();
    return {};
}

// Creates or replaces a value if the current one is as expected; none: if it is absent. Returns whether it was.
inline Result<bool, Error> compare_and_set(std::string_view key, std::optional<std::string_view> expected,
                                           std::string_view value) {
    pm_text_t before = expected ? detail::text(*expected) : pm_text(nullptr);
    bool swapped;
    if (!pm_shared_compare_and_set(detail::text(key), before, detail::text(value), &swapped)) return last_error();
    return swapped;
}

// Removes a counter or a value, if it exists.
inline void remove(std::string_view key) {
    pm_shared_delete(detail::text(key));
}

} // namespace pointsman::shared

// Statistics of upstreams from the tenant's own requests, and the results of health checks.
namespace pointsman::upstreams {

enum class Health : pointsman_router_upstreams_health_t { unknown, healthy, unhealthy };

inline std::string_view name(Health health) {
    constexpr std::string_view names[] = {"unknown", "healthy", "unhealthy"};
    return names[static_cast<size_t>(health)];
}

struct Upstream {
    std::string_view address;
    Health health;
    uint32_t in_flight;                               // attempts under way, in this proxy
    std::optional<std::chrono::microseconds> latency; // average time to the head of a response
    uint32_t failures;                                // in a row, if the last was in the past 30 seconds
};

namespace detail {

inline Upstream upstream(const pm_upstream_t &from) {
    using std::chrono::microseconds;
    auto latency = from.latency_us.is_some ? std::optional(microseconds(from.latency_us.val)) : std::nullopt;
    return {pointsman::detail::view(from.address), static_cast<Health>(from.health), from.in_flight, latency,
            from.failures};
}

} // namespace detail

// The statistics of an address, in a group or not.
inline Upstream get(std::string_view address) {
    return detail::upstream(pm_upstream(pointsman::detail::text(address)));
}

// The members of a group that the operator defined, in its order.
inline Result<std::vector<Upstream>> group(std::string_view name) {
    pm_upstreams_t members;
    if (!pm_upstream_group(pointsman::detail::text(name), &members)) return pointsman::detail::last_error();
    std::vector<Upstream> group;
    for (size_t i = 0; i < members.len; i++) group.push_back(detail::upstream(members.ptr[i]));
    return group;
}

} // namespace pointsman::upstreams

namespace pointsman::clock {

// Milliseconds since 1970-01-01 00:00 UTC. It does not advance while a decision runs.
inline uint64_t now_ms() {
    return pm_now_ms();
}

} // namespace pointsman::clock

// Unpredictable numbers. For a choice that one visitor keeps, see `hash`.
namespace pointsman::random {

// 64 random bits.
inline uint64_t bits() {
    return pm_random();
}

// A number from 0 to `end`, without `end` itself; 0 if that is 0.
inline size_t below(size_t end) {
    return pm_random_below(end);
}

// Two different numbers below `end`, in random order. None if it is below 2.
inline std::optional<std::pair<size_t, size_t>> two_below(size_t end) {
    size_t first, second;
    return pm_random_two(end, &first, &second) ? std::optional(std::pair(first, second)) : std::nullopt;
}

} // namespace pointsman::random
