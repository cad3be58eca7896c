// The part `shared`: one call for each parameter.

#include "job.hpp"

using namespace pointsman;

template <class T>
static std::string_view line_of(std::string_view call, const Result<T, shared::Error> &result) {
    if (!result) return join("error ", result.error());
    if constexpr (std::same_as<T, void>) return call;
    else if constexpr (std::same_as<T, bool>) return join(call, *result ? " true" : " false");
    else return join(call, " ", *result);
}

// The line of a call that takes `KEY:MORE`. None if the parameter's value is bad.
static std::optional<std::string_view> call(std::string_view name, const Pair &arguments) {
    auto [key, value] = arguments;
    if (name == "set") return line_of(name, shared::set(key, value));
    if (name == "add") {
        auto amount = number<int64_t>(value);
        if (amount) return line_of(name, shared::add(key, *amount));
    }
    auto more = split(value);
    if (!more) return std::nullopt;
    if (name == "swap") {
        auto expected = more->name.empty() ? std::nullopt : std::optional(more->name);
        return line_of(name, shared::compare_and_set(key, expected, more->value));
    }
    auto amount = number<int64_t>(more->name);
    auto ttl = number<uint32_t>(more->value);
    if (!amount || !ttl) return std::nullopt;
    return line_of("add", shared::add_for(std::chrono::milliseconds(*ttl), key, *amount));
}

Answer shared_part(const Request &request) {
    Lines lines;
    for (auto param : request.query_params()) {
        auto [name, value] = param;
        if (name == "counter") {
            auto counter = shared::counter(value);
            add_line(lines, "counter ", counter ? std::to_string(*counter) : "-");
        } else if (name == "get") {
            add_line(lines, "get ", shared::get(value).value_or("-"));
        } else if (name == "delete") {
            shared::remove(value);
            add_line(lines, "delete");
        } else if (name == "add" || name == "add-ttl" || name == "set" || name == "swap") {
            auto arguments = split(value);
            auto line = arguments ? call(name, *arguments) : std::nullopt;
            if (!line) return bad_value(param);
            add_line(lines, *line);
        }
    }
    return plain(lines);
}
