// The values that a router may return.

#pragma once

#include <initializer_list>

#include "host.hpp"
#include "peer.hpp"
#include "result.hpp"

namespace pointsman {

// Where a request goes, and how it is changed.
//
//     Route::to(Peer::http("127.0.0.1:9101")).path_and_query("/v2/cart?x=1").set_header("x-shop", "north").note("v2")
class Route {
public:
    // The contract's own record.
    pm_route_t record;

    // To a peer, the request as the client sent it, retries as the tenant's limits have it.
    static Route to(const Peer &peer) { return Route(pm_route(peer.record)); }

    // Sends another authority (the `host` header): `host` or `host:port`.
    Route &authority(std::string_view authority) {
        record.rewrite.authority = pm_some(detail::copied(authority));
        return *this;
    }

    // Sends another path and query. It starts with `/` and is percent-encoded.
    Route &path_and_query(std::string_view path_and_query) {
        record.rewrite.path_and_query = pm_some(detail::copied(path_and_query));
        return *this;
    }

    // Removes all values of a header. The host removes before it sets and adds.
    Route &remove_header(std::string_view name) {
        pm_add_text(&record.rewrite.remove_headers, detail::copied(name));
        return *this;
    }

    // Replaces all values of a header. A name may be set once. Values may hold any bytes, here and in the next one.
    Route &set_header(std::string_view name, std::string_view value) {
        pm_add_header(&record.rewrite.set_headers, detail::copied(name), detail::copied(value));
        return *this;
    }

    // Adds a value to those that a header has.
    Route &add_header(std::string_view name, std::string_view value) {
        pm_add_header(&record.rewrite.add_headers, detail::copied(name), detail::copied(value));
        return *this;
    }

    // Attempts for this request at most, this one and all before it included. 1: no retry.
    Route &attempts(uint32_t attempts) {
        record.retry.attempts = pm_some_u32(attempts);
        return *this;
    }

    // Takes these statuses of the upstream (500 to 599) for a failed attempt.
    Route &on_status(std::initializer_list<uint16_t> statuses) {
        for (uint16_t status : statuses) pm_on_status(&record, status);
        return *this;
    }

    // A remark for the access log, such as the name of the rule that matched. At most 256 bytes.
    Route &note(std::string_view note) {
        record.note = pm_some(detail::copied(note));
        return *this;
    }

private:
    explicit Route(pm_route_t route) : record(route) {}
};

// A response from the module itself.
//
//     Response(503).header("retry-after", "30").text("Back in half a minute.\n")
class Response {
public:
    // The contract's own record.
    pm_response_t record;

    // Without headers and body. The status is 200 to 599.
    explicit Response(uint16_t status) : record(pm_response(status)) {}

    // Adds a header. Its value may hold any bytes.
    Response &header(std::string_view name, std::string_view value) {
        pm_add_header(&record.headers, detail::copied(name), detail::copied(value));
        return *this;
    }

    // Sets the body. Its type is for `header` to say.
    Response &body(std::string_view body) {
        record.body = pm_bytes(detail::copied(body));
        return *this;
    }

    // Sets a body of plain text, or of JSON, which is sent unchanged.
    Response &text(std::string_view text) {
        pm_body_text(&record, detail::copied(text));
        return *this;
    }

    Response &json(std::string_view json) {
        pm_body_json(&record, detail::copied(json));
        return *this;
    }
};

// Leaves it to the tenant's next module.
struct Pass {};

namespace detail {

template <class>
inline constexpr bool never = false;

} // namespace detail

// What a router may return: a `Peer`, a `Route`, a `Response`, `Pass()` or an error, or a `Result` with one of them.
class Answer {
public:
    // The contract's own record.
    pm_answer_t record;

    // One constructor for all of them, so that the compiler explains a wrong type in one sentence, and not once for
    // each type that would be right.
    template <class T>
        requires(!std::same_as<T, Answer>)
    Answer(const T &value) : record(made(value)) {}

private:
    static pm_answer_t made(const Peer &peer) { return pm_connect(pm_route(peer.record)); }
    static pm_answer_t made(const Route &route) { return pm_connect(route.record); }
    static pm_answer_t made(const Response &response) { return pm_respond(response.record); }
    static pm_answer_t made(Pass) { return pm_pass(); }
    static pm_answer_t made(const Error &error) { return pm_error(detail::text(error.text())); }
    static pm_answer_t made(shared::Error error) { return made(Error(error)); }

    template <class T, class E>
    static pm_answer_t made(const Result<T, E> &result) {
        return (result ? Answer(*result) : Answer(result.error())).record;
    }

    template <class T>
    static pm_answer_t made(const T &) {
        static_assert(detail::never<T>, "a router returns a Peer, a Route, a Response, Pass() or an Error, "
                                        "or a Result with one of them");
        return {};
    }
};

} // namespace pointsman
