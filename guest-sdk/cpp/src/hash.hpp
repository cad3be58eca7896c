// Hashes that stay: the same key gives the same result on every machine, in every version of the SDK and in every
// language. They spread keys evenly; they keep no secret.

#pragma once

#include "text.hpp"

namespace pointsman::hash {

// A hash of a key, which may be any bytes: XXH64 with seed 0.
inline uint64_t of(std::string_view key) {
    return pm_hash(detail::text(key));
}

// Where a key lies from 0 (included) to 100 (excluded). `percent(key) < 10` holds for a tenth of all keys, and for these
// still when 10 becomes 20. Two experiments that share keys should have their names in the key.
inline double percent(std::string_view key) {
    return pm_percent(detail::text(key));
}

// The node that a key belongs to, by rendezvous hashing: when a node goes, only its own keys move. None without nodes.
inline std::optional<std::string_view> pick(std::string_view key, std::span<const std::string_view> nodes) {
    return detail::optional(pm_pick(detail::text(key), detail::texts(nodes)));
}

// All nodes in a key's own order, the first of them `pick`'s: where the key goes if the ones before fail.
inline std::vector<std::string_view> rank(std::string_view key, std::span<const std::string_view> nodes) {
    return detail::views(pm_rank(detail::text(key), detail::texts(nodes)));
}

} // namespace pointsman::hash
