// A value, or why there is none.

#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "text.hpp"

namespace pointsman {

// Why a router gives no answer. The text goes to the tenant's log, never to the client; at most 1,024 bytes of it.
class Error {
public:
    // In parts, as `join` takes them: `Error("no such shop: ", name)`.
    template <class... Parts>
        requires(sizeof...(Parts) > 0)
    explicit Error(const Parts &...parts) : text_(join(parts...)) {}

    std::string_view text() const { return text_; }

    bool operator==(const Error &) const = default;

private:
    std::string_view text_;
};

// A value, or an error. As with `std::optional`, `*result` and `result->` want it to have been looked at first.
template <class T, class E = Error>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(E error) : error_(std::move(error)) {}

    explicit operator bool() const { return value_.has_value(); }
    const T &operator*() const { return *value_; }
    T &operator*() { return *value_; }
    const T *operator->() const { return &*value_; }
    const E &error() const { return *error_; }

private:
    std::optional<T> value_;
    std::optional<E> error_;
};

// Nothing, or an error: `return {};` is success.
template <class E>
class [[nodiscard]] Result<void, E> {
public:
    Result() = default;
    Result(E error) : error_(std::move(error)) {}

    explicit operator bool() const { return !error_.has_value(); }
    const E &error() const { return *error_; }

private:
    std::optional<E> error_;
};

namespace detail {

// Why the last call of the C SDK that failed did.
inline Error last_error() {
    return Error(view(pm_failed_because()));
}

} // namespace detail

} // namespace pointsman
