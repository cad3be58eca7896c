// Test a module natively, with neither WebAssembly nor a host: this replaces the host.
//
//     #include <cassert>
//     #include <pointsman_testing.hpp>
//     using namespace pointsman;
//
//     int main() {
//         testing::config(R"({"address": "127.0.0.1:9101"})");
//         auto request = testing::get("https://shop.example/cart?x=1").header("accept", "text/html");
//         assert(testing::address(select_peer(request)) == "127.0.0.1:9101");
//     }
//
// Built with the module's own files, `runtime.cpp`, `c/module.c` and `c/testing.c`. A test that expects another result
// ends with a message and a failure.

#pragma once

#include "c/pointsman_testing.h"
#include "pointsman.hpp"

namespace pointsman::testing {

namespace detail {

using namespace pointsman::detail;

// A string that lasts.
inline const char *string(std::string_view text) {
    return reinterpret_cast<const char *>(copied(text).ptr);
}

} // namespace detail

// Sets the module's `config` table: a JSON object. `{}` until then.
inline void config(std::string_view json) {
    pm_test_config(detail::string(json));
}

// The lines logged since the last call, each with its level and LF: `warn 127.0.0.1:9101 failed: refused`.
inline std::string_view log_lines() {
    return detail::view(pm_test_log());
}

// Sets the time. 2026-01-01 00:00 UTC until then.
inline void clock(uint64_t now_ms) {
    pm_test_clock(now_ms);
}

// Says which random bits come next, once; after that come 1, 2, 3, ...
inline void random(uint64_t bits) {
    pm_test_random(bits);
}

// As before the first test: no configuration, log lines, shared entries and upstreams. Requests are gone too.
inline void reset() {
    pm_test_reset();
}

namespace detail {

inline pm_upstream_t record(const upstreams::Upstream &upstream) {
    pm_upstream_t record = {};
    record.address = copied(upstream.address);
    record.health = static_cast<pointsman_router_upstreams_health_t>(upstream.health);
    record.in_flight = upstream.in_flight;
    if (upstream.latency) record.latency_us = pm_some_u32(static_cast<uint32_t>(upstream.latency->count()));
    record.failures = upstream.failures;
    return record;
}

} // namespace detail

// Sets the statistics of an address.
inline void upstream(const upstreams::Upstream &upstream) {
    pm_test_upstream(detail::record(upstream));
}

// Sets the members of a group.
inline void group(std::string_view name, std::span<const upstreams::Upstream> members) {
    auto *records = static_cast<pm_upstream_t *>(pm_alloc(members.size() * sizeof(pm_upstream_t)));
    for (size_t i = 0; i < members.size(); i++) records[i] = detail::record(members[i]);
    pm_test_group(detail::string(name), {records, members.size()});
}

// An attempt that failed because nothing listened on the address; because the connection timed out; because the
// upstream closed the connection instead of answering; because it answered with this status.
inline pm_attempt_t refused(std::string_view address) {
    return pm_test_refused(detail::string(address));
}

inline pm_attempt_t timed_out(std::string_view address) {
    return pm_test_timed_out(detail::string(address));
}

inline pm_attempt_t closed(std::string_view address) {
    return pm_test_closed(detail::string(address));
}

inline pm_attempt_t status(std::string_view address, uint16_t status) {
    return pm_test_status(detail::string(address), status);
}

class TestRequest : public Request {
public:
    explicit TestRequest(pm_request_t request) : Request(request), handle_(request) {}

    // What a module may ask, and what a test may set.
    using Request::client_ip;
    using Request::header;
    using Request::listener;
    using Request::tls;

    // Adds a header. The value may hold any bytes.
    TestRequest &header(std::string_view name, std::string_view value) {
        pm_test_header(handle_, detail::string(name), detail::copied(value));
        return *this;
    }

    TestRequest &client_ip(std::string_view address) {
        pm_test_client_ip(handle_, detail::string(address));
        return *this;
    }

    TestRequest &listener(std::string_view name) {
        pm_test_listener(handle_, detail::string(name));
        return *this;
    }

    TestRequest &tls(pm_client_tls_t tls) {
        pm_test_client_tls(handle_, tls);
        return *this;
    }

    // Adds a failed attempt, such as `refused`. Its number is set here.
    TestRequest &attempt(const pm_attempt_t &attempt) {
        pm_test_attempt(handle_, attempt);
        return *this;
    }

private:
    pm_request_t handle_;
};

// The same as `get`, with another method.
inline TestRequest request(std::string_view method, std::string_view url) {
    return TestRequest(pm_test_request(detail::string(method), detail::string(url)));
}

// `GET` of a URL, `https://shop.example/cart?x=1`, or of a path alone, `/cart`, for a client that names no host. `https`
// gives the connection TLS with the host as its server name. The client is `192.0.2.1`, the listener `test`.
inline TestRequest get(std::string_view url) {
    return request("GET", url);
}

// What the answer is, if it is that: the records, and what tests ask for most.
inline pm_route_t route(const Answer &answer) {
    return pm_test_route(answer.record);
}

inline std::string_view address(const Answer &answer) {
    return detail::view(route(answer).peer.address);
}

inline std::optional<std::string_view> note(const Answer &answer) {
    return detail::optional(route(answer).note);
}

inline pm_response_t response(const Answer &answer) {
    return pm_test_response(answer.record);
}

inline std::string_view body(const Answer &answer) {
    return detail::view(response(answer).body);
}

inline std::string_view error(const Answer &answer) {
    return detail::view(pm_test_error(answer.record));
}

} // namespace pointsman::testing
