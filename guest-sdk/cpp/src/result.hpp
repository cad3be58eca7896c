// A value, or why there is none.

#pragma once

#include <concepts>
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

    // Of an error that has a text of its own, such as `shared::Error`.
    template <class E>
        requires requires(E error) { text_of(error); }
    Error(E error) : text_(text_of(error)) {}

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

    // Another error that becomes this one, such as a `shared::Error`.
    template <class Other>
        requires(!std::same_as<Other, E> && std::convertible_to<Other, E> && !std::convertible_to<Other, T>)
    Result(Other error) : error_(E(error)) {}

    explicit operator bool() const { return value_.has_value(); }
    const T &operator*() const & { return *value_; }
    T &operator*() & { return *value_; }
    T &&operator*() && { return *std::move(value_); }
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

    template <class Other>
        requires(!std::same_as<Other, E> && std::convertible_to<Other, E>)
    Result(Other error) : error_(E(error)) {}

    explicit operator bool() const { return !error_.has_value(); }
    const E &error() const { return *error_; }

private:
    std::optional<E> error_;
};

// In a function that returns a `Result` or an `Answer`: the value of a result, or a return with its error.
//
//     PM_TRY(auto address, config::text("/address"));
//     PM_CHECK(shared::set("colour", "green"));
#define PM_TRY(variable, ...)                                                                                          \
    auto PM_RESULT_NAME(__LINE__) = (__VA_ARGS__);                                                                     \
    if (!PM_RESULT_NAME(__LINE__)) return PM_RESULT_NAME(__LINE__).error();                                            \
    variable = *std::move(PM_RESULT_NAME(__LINE__))
#define PM_CHECK(...)                                                                                                  \
    if (auto pm_result = (__VA_ARGS__); !pm_result) return pm_result.error()
#define PM_RESULT_NAME(line) PM_RESULT_NAME_OF(line)
#define PM_RESULT_NAME_OF(line) pm_result_##line

namespace detail {

// Why the last call of the C SDK that failed did.
inline Error last_error() {
    return Error(view(pm_failed_because()));
}

} // namespace detail

} // namespace pointsman
