// The parts of the conformance job (../README.md), and their common functions.

#pragma once

#include <charconv>
#include <string>

#include <pointsman.hpp>

pointsman::Answer peer_part(const pointsman::Request &request);
pointsman::Answer shared_part(const pointsman::Request &request);

// A plain answer is built line by line; LF is added.
using Lines = std::string;

template <class... Parts>
void add_line(Lines &lines, const Parts &...parts) {
    lines += pointsman::join(parts..., "\n");
}

inline pointsman::Response plain(const Lines &lines) {
    return pointsman::Response(200).text(lines);
}

inline pointsman::Error bad_value(const pointsman::Pair &param) {
    return pointsman::Error("bad value for ", param.name, ": ", param.value);
}

// Splits at the first separator. None if there is none.
inline std::optional<pointsman::Pair> split(std::string_view text, char separator = ':') {
    auto at = text.find(separator);
    if (at == text.npos) return std::nullopt;
    return pointsman::Pair{text.substr(0, at), text.substr(at + 1)};
}

// A decimal number of this type.
template <std::integral N>
std::optional<N> number(std::string_view text) {
    N number;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}
