// Between C++'s texts and the C SDK's.

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../c/pointsman.h"

namespace pointsman {

namespace detail {

// By reference. Never absent: that is what an optional is for.
inline pm_text_t text(std::string_view text) {
    const char *start = text.data() ? text.data() : "";
    return {reinterpret_cast<uint8_t *>(const_cast<char *>(start)), text.size()};
}

inline std::string_view view(pm_text_t text) {
    return {reinterpret_cast<const char *>(text.ptr), text.len};
}

inline std::string_view view(pm_bytes_t bytes) {
    return {reinterpret_cast<const char *>(bytes.ptr), bytes.len};
}

inline std::optional<std::string_view> optional(pm_text_t text) {
    return text.ptr ? std::optional(view(text)) : std::nullopt;
}

inline std::optional<std::string_view> optional(pm_bytes_t bytes) {
    return bytes.ptr ? std::optional(view(bytes)) : std::nullopt;
}

inline std::optional<std::string_view> optional(pm_optional_text_t text) {
    return text.is_some ? std::optional(view(text.val)) : std::nullopt;
}

// In the decision's memory.
inline pm_text_t copied(std::string_view view) {
    return pm_copy(text(view));
}

inline pm_texts_t texts(std::span<const std::string_view> views) {
    auto *texts = static_cast<pm_text_t *>(pm_alloc(views.size() * sizeof(pm_text_t)));
    for (size_t i = 0; i < views.size(); i++) texts[i] = text(views[i]);
    return {texts, views.size()};
}

inline std::vector<std::string_view> views(pm_texts_t texts) {
    std::vector<std::string_view> views;
    views.reserve(texts.len);
    for (size_t i = 0; i < texts.len; i++) views.push_back(view(texts.ptr[i]));
    return views;
}

template <std::integral N>
    requires(!std::same_as<N, bool> && !std::same_as<N, char>)
pm_text_t part(N number) {
    return pm_decimal(static_cast<int64_t>(number));
}

template <std::convertible_to<std::string_view> T>
pm_text_t part(const T &text) {
    return detail::text(text);
}

// What has a name: enums of the contract.
template <class T>
    requires requires(T value) { name(value); }
pm_text_t part(T value) {
    return text(name(value));
}

} // namespace detail

// Texts, whole numbers, and enums by their names, one after the other: `join(address, " failed: ", failure)`. In the
// decision's memory.
template <class... Parts>
std::string_view join(const Parts &...parts) {
    const pm_text_t texts[] = {detail::part(parts)...};
    return detail::view(pm_join_texts(texts, sizeof...(parts)));
}

// Bytes as text: invalid UTF-8 is replaced by U+FFFD. In the decision's memory.
inline std::string_view utf8(std::string_view bytes) {
    return detail::view(pm_utf8(pm_bytes(detail::text(bytes))));
}

// `caf%C3%A9` becomes `café`; invalid UTF-8 is then replaced by U+FFFD. In the decision's memory.
inline std::string_view percent_decoded(std::string_view text) {
    return detail::view(pm_percent_decoded(detail::text(text)));
}

} // namespace pointsman
