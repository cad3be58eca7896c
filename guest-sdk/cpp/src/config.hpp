// The module's configuration: its `config` table.

#pragma once

#include <limits>

#include "result.hpp"

// A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. One of the wrong type is always an
// error, never treated as a missing one; the error's text names it: "config: `/percent` is missing".
namespace pointsman::config {

// The whole table as a JSON object.
inline std::string_view json() {
    return detail::view(pm_config_json());
}

// One value, as JSON. None if it is absent.
inline std::optional<std::string_view> get(std::string_view pointer) {
    return detail::optional(pm_config_get(detail::text(pointer)));
}

// One value if it is a text. None if it is absent or something else.
inline std::optional<std::string_view> get_text(std::string_view pointer) {
    return detail::optional(pm_config_get_text(detail::text(pointer)));
}

inline Result<std::string_view> text(std::string_view pointer) {
    pm_text_t text;
    if (!pm_config_text(detail::text(pointer), &text)) return detail::last_error();
    return detail::view(text);
}

// A text, or this one if the operator gave none.
inline Result<std::string_view> text_or(std::string_view pointer, std::string_view fallback) {
    pm_text_t text;
    if (!pm_config_text_or(detail::text(pointer), detail::text(fallback), &text)) return detail::last_error();
    return detail::view(text);
}

// A list of texts.
inline Result<std::vector<std::string_view>> texts(std::string_view pointer) {
    pm_texts_t texts;
    if (!pm_config_texts(detail::text(pointer), &texts)) return detail::last_error();
    return detail::views(texts);
}

// What is in a list or a table: the pointer of each item, in order, for the functions here.
//
//     PM_TRY(auto sites, config::items("/sites"));
//     for (auto site : sites) PM_TRY(auto address, config::text(join(site, "/address")));
inline Result<std::vector<std::string_view>> items(std::string_view pointer) {
    pm_texts_t items;
    if (!pm_config_items(detail::text(pointer), &items)) return detail::last_error();
    return detail::views(items);
}

// The last part of a pointer: the key in a table, or the index in a list.
inline std::string_view name(std::string_view pointer) {
    return detail::view(pm_config_name(detail::text(pointer)));
}

// A number. With more than 15 digits, or an exponent beyond 22, the last digits of the result may differ.
inline Result<double> number(std::string_view pointer) {
    double number;
    if (!pm_config_number(detail::text(pointer), &number)) return detail::last_error();
    return number;
}

// A number, or this one if the operator gave none.
inline Result<double> number_or(std::string_view pointer, double fallback) {
    double number;
    if (!pm_config_number_or(detail::text(pointer), fallback, &number)) return detail::last_error();
    return number;
}

// A whole number of a type of at most 63 bits: `config::integer<uint16_t>("/port")`.
template <std::integral N = int64_t>
    requires(std::numeric_limits<N>::digits <= 63)
Result<N> integer(std::string_view pointer) {
    using Limits = std::numeric_limits<N>;
    int64_t number;
    if (!pm_config_integer(detail::text(pointer), Limits::min(), Limits::max(), &number)) return detail::last_error();
    return static_cast<N>(number);
}

// `true` or `false`, the latter also if the operator gave neither.
inline Result<bool> flag(std::string_view pointer) {
    bool on;
    if (!pm_config_flag(detail::text(pointer), &on)) return detail::last_error();
    return on;
}

} // namespace pointsman::config
