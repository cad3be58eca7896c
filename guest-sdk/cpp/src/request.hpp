// The request to be routed.

#pragma once

#include <chrono>

#include "text.hpp"

namespace pointsman {

// A header, a query parameter or a cookie. A header's value is bytes.
struct Pair {
    std::string_view name, value;

    bool operator==(const Pair &) const = default;
};

// How far an attempt got.
enum class Stage : pointsman_router_types_stage_t { resolve, connect, connect_proxy, tls, send, receive, other };

// The failure.
enum class Failure : pointsman_router_types_failure_t {
    timeout,
    refused,
    unreachable,
    closed,
    certificate,
    protocol,
    proxy_refused,
    status,
    other,
};

// The name that the WIT has: `connect-proxy`.
inline std::string_view name(Stage stage) {
    return detail::view(pm_stage_name(static_cast<pointsman_router_types_stage_t>(stage)));
}

inline std::string_view name(Failure failure) {
    return detail::view(pm_failure_name(static_cast<pointsman_router_types_failure_t>(failure)));
}

// An attempt of this request that failed.
struct Attempt {
    uint32_t number; // the first is 1
    std::string_view address;
    Stage stage;
    Failure failure;
    std::optional<uint16_t> status; // the upstream's, or the CONNECT proxy's, if that was what failed
    bool reused_connection;
    bool request_sent; // whether bytes of the request may have reached the upstream
    std::chrono::milliseconds elapsed;
    std::string_view detail; // for logs, not for decisions: its text may change
};

// Facts about the client's TLS connection.
struct ClientTls {
    std::optional<std::string_view> sni; // in lower case
    std::string_view version;            // such as `TLSv1.3`
    std::string_view cipher;             // such as `TLS_AES_256_GCM_SHA384`
    std::optional<std::string_view> client_cert_sha256; // bytes
};

// Nothing is copied in advance: each method calls the host, which records the reads. So read only what the
// decision needs, and read it once.
class Request {
public:
    explicit Request(pm_request_t request) : request_(request) {}

    // As sent, such as `GET`.
    std::string_view method() const { return detail::view(pm_method(request_)); }

    // `https` if the client's connection has TLS, else `http`.
    std::string_view scheme() const { return detail::view(pm_scheme(request_)); }

    // Host and, if the client named one, port, in lower case. Empty if the client sent none.
    std::string_view authority() const { return detail::view(pm_authority(request_)); }

    // The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`.
    std::string_view host() const { return detail::view(pm_host(request_)); }

    // The path as sent, percent-encoding untouched, without the query.
    std::string_view path() const { return detail::view(pm_path(request_)); }

    // The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.` and
    // `..` are unchanged.
    std::vector<std::string_view> path_segments() const { return detail::views(pm_path_segments(request_)); }

    // The part after the first `?`, as sent.
    std::optional<std::string_view> query() const { return detail::optional(pm_query(request_)); }

    // The first query parameter of this name, percent-decoded, with `+` as a space.
    std::optional<std::string_view> query_param(std::string_view name) const {
        return detail::optional(pm_query_param(request_, detail::text(name)));
    }

    // All query parameters, percent-decoded, with `+` as a space.
    std::vector<Pair> query_params() const { return pairs(pm_query_params(request_)); }

    // The first value of a header, as text: invalid UTF-8 is replaced by U+FFFD.
    std::optional<std::string_view> header(std::string_view name) const {
        return detail::optional(pm_header(request_, detail::text(name)));
    }

    // The first value of a header, as sent.
    std::optional<std::string_view> header_bytes(std::string_view name) const {
        return detail::optional(pm_header_bytes(request_, detail::text(name)));
    }

    // All values of a header, as sent, in order.
    std::vector<std::string_view> header_values(std::string_view name) const {
        pm_bytes_list_t list = pm_header_values(request_, detail::text(name));
        std::vector<std::string_view> values;
        for (size_t i = 0; i < list.len; i++) values.push_back(detail::view(list.ptr[i]));
        return values;
    }

    // All headers, names in lower case.
    std::vector<Pair> headers() const {
        pm_headers_t list = pm_all_headers(request_);
        std::vector<Pair> headers;
        headers.reserve(list.len);
        for (size_t i = 0; i < list.len; i++) {
            headers.push_back({detail::view(list.ptr[i].name), detail::view(list.ptr[i].value)});
        }
        return headers;
    }

    // The first cookie of this name, its value as sent.
    std::optional<std::string_view> cookie(std::string_view name) const {
        return detail::optional(pm_cookie(request_, detail::text(name)));
    }

    // All cookies, in order.
    std::vector<Pair> cookies() const { return pairs(pm_cookies(request_)); }

    // The peer address of the client's connection, without port.
    std::string_view client_ip() const { return detail::view(pm_client_ip(request_)); }

    // The name of the listener that took the connection.
    std::string_view listener() const { return detail::view(pm_listener(request_)); }

    // None without TLS.
    std::optional<ClientTls> tls() const {
        pm_client_tls_t tls;
        if (!pm_client_tls(request_, &tls)) return std::nullopt;
        auto cert = tls.client_cert_sha256.is_some ? detail::optional(tls.client_cert_sha256.val) : std::nullopt;
        return ClientTls{detail::optional(tls.sni), detail::view(tls.version), detail::view(tls.cipher), cert};
    }

    // The failed attempts of this request, oldest first. Empty on the first call.
    std::vector<Attempt> attempts() const {
        pm_attempts_t list = pm_attempts(request_);
        std::vector<Attempt> attempts;
        attempts.reserve(list.len);
        for (size_t i = 0; i < list.len; i++) attempts.push_back(attempt(list.ptr[i]));
        return attempts;
    }

private:
    static std::vector<Pair> pairs(pm_params_t params) {
        std::vector<Pair> pairs;
        pairs.reserve(params.len);
        for (size_t i = 0; i < params.len; i++) {
            pairs.push_back({detail::view(params.ptr[i].name), detail::view(params.ptr[i].value)});
        }
        return pairs;
    }

    static Attempt attempt(const pm_attempt_t &from) {
        return {
            .number = from.number,
            .address = detail::view(from.address),
            .stage = static_cast<Stage>(from.stage),
            .failure = static_cast<Failure>(from.failure),
            .status = from.status.is_some ? std::optional(from.status.val) : std::nullopt,
            .reused_connection = from.reused_connection,
            .request_sent = from.request_sent,
            .elapsed = std::chrono::milliseconds(from.elapsed_ms),
            .detail = detail::view(from.detail),
        };
    }

    pm_request_t request_;
};

} // namespace pointsman
