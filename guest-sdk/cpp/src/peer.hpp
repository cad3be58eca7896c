// An upstream, and how to connect to it.

#pragma once

#include <chrono>

#include "text.hpp"

namespace pointsman {

// How far the upstream's certificate is checked. Less than `full` needs a grant.
enum class Verify : pointsman_router_types_verify_t { full, chain_only, none };

// The HTTP version to speak.
enum class Alpn : pointsman_router_types_alpn_t { h1, h2, h2h1 };

// Which HTTP/1.1 upgrades are forwarded.
enum class Upgrade : pointsman_router_types_upgrade_t { websocket, any, deny };

// Departures from the HTTP standard.
enum class Quirks : pointsman_router_types_quirks_t {
    keep_hop_by_hop = PM_KEEP_HOP_BY_HOP,
    keep_connection_nominated = PM_KEEP_CONNECTION_NOMINATED,
    accept_malformed_connection = PM_ACCEPT_MALFORMED_CONNECTION,
    accept_invalid_content_length = PM_ACCEPT_INVALID_CONTENT_LENGTH,
};

namespace detail {

// Whole milliseconds, rounded up, so that no timeout becomes zero. What the contract can't hold, the host refuses.
inline uint32_t millis(std::chrono::nanoseconds time) {
    auto millis = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    return millis < 0 || millis > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(millis);
}

inline uint32_t seconds(std::chrono::nanoseconds time) {
    auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
    return seconds < 0 || seconds > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(seconds);
}

} // namespace detail

// Unset fields are left to the tenant's configuration, or off. A wrong value is refused by the host, which names the
// field; it is never ignored.
//
//     Peer::https("203.0.113.7:443").sni("shop.example").alpn(Alpn::h2h1).connect_timeout(300ms)
class Peer {
    using Time = std::chrono::nanoseconds;

public:
    // The contract's own record: `c/gen/router.h` describes each field.
    pm_peer_t record;

    // Plain HTTP/1.1 to `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`.
    static Peer http(std::string_view address) { return Peer(pm_http(detail::copied(address))); }

    // HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, say which name to expect:
    // `sni`.
    static Peer https(std::string_view address) { return Peer(pm_https(detail::copied(address))); }

    // Connects through an HTTP proxy at this address.
    Peer &connect_proxy(std::string_view address) {
        pm_connect_proxy(&record, detail::copied(address));
        return *this;
    }

    // Adds a header to the CONNECT request, such as `proxy-authorization`. After `connect_proxy`; else it has no
    // effect.
    Peer &proxy_header(std::string_view name, std::string_view value) {
        pm_add_header(&record.connect_proxy.val.headers, detail::copied(name), detail::copied(value));
        return *this;
    }

    // The local address of the connection: `ip` or `ip:port`. This and the next two need a grant.
    Peer &bind_address(std::string_view address) {
        pm_bind_to(&record)->address = some(address);
        return *this;
    }

    // One of these local ports.
    Peer &bind_ports(uint16_t first, uint16_t last) {
        pm_bind_to(&record)->port_range = pm_ports(first, last);
        return *this;
    }

    // Another port when none in the range is free.
    Peer &bind_fallback(bool fallback = true) {
        pm_bind_to(&record)->fallback = fallback;
        return *this;
    }

    // Keeps connections apart that are equal otherwise: they are shared only within one value.
    Peer &isolation(std::string_view isolation) {
        record.isolation = some(isolation);
        return *this;
    }

    // --- TLS. Any of these turns it on. ---

    // The server name to send, and to find in the certificate.
    Peer &sni(std::string_view name) {
        pm_tls(&record)->sni = some(name);
        return *this;
    }

    Peer &verify(Verify verify) {
        pm_tls(&record)->verify = static_cast<pointsman_router_types_verify_t>(verify);
        return *this;
    }

    // A second name that the certificate may carry.
    Peer &alternative_cn(std::string_view name) {
        pm_tls(&record)->alternative_cn = some(name);
        return *this;
    }

    // The operator's CA bundle of this name, instead of the system's roots.
    Peer &ca(std::string_view name) {
        pm_tls(&record)->ca = some(name);
        return *this;
    }

    // The operator's client certificate of this name.
    Peer &client_cert(std::string_view name) {
        pm_tls(&record)->client_cert = some(name);
        return *this;
    }

    // Key exchange groups to offer, best first: `X25519:P-256`.
    Peer &curves(std::string_view curves) {
        pm_tls(&record)->curves = some(curves);
        return *this;
    }

    // Whether to send a second key share with a post-quantum one. BoringSSL only.
    Peer &second_key_share(bool second) {
        pm_tls(&record)->second_key_share = pm_some_bool(second);
        return *this;
    }

    // --- Timeouts. In milliseconds to the host: a fraction of one counts as one. ---

    // To establish the TCP connection, once more for a CONNECT proxy's answer, and once more for the TLS handshake.
    Peer &connect_timeout(Time timeout) { return set(record.timeouts.connect_ms, detail::millis(timeout)); }

    // To establish the connection with all that belongs to it: TCP, CONNECT, TLS.
    Peer &total_connect_timeout(Time timeout) { return set(record.timeouts.total_connect_ms, detail::millis(timeout)); }

    // Between two reads of the response.
    Peer &read_timeout(Time timeout) { return set(record.timeouts.read_ms, detail::millis(timeout)); }

    // For one write of the request.
    Peer &write_timeout(Time timeout) { return set(record.timeouts.write_ms, detail::millis(timeout)); }

    // How long the connection is kept for reuse. Zero: not at all.
    Peer &idle_timeout(Time timeout) { return set(record.timeouts.idle_ms, detail::millis(timeout)); }

    // --- HTTP ---

    Peer &alpn(Alpn alpn) {
        record.http.alpn = static_cast<pointsman_router_types_alpn_t>(alpn);
        return *this;
    }

    // Concurrent streams on one HTTP/2 connection.
    Peer &max_h2_streams(uint32_t streams) { return set(record.http.max_h2_streams, streams); }

    // Time between HTTP/2 pings on a connection.
    Peer &h2_ping_interval(Time interval) { return set(record.http.h2_ping_interval_ms, detail::millis(interval)); }

    // Initial HTTP/2 receive windows, in bytes.
    Peer &h2_stream_window(uint32_t bytes) { return set(record.http.h2_stream_window, bytes); }
    Peer &h2_connection_window(uint32_t bytes) { return set(record.http.h2_connection_window, bytes); }

    Peer &upgrade(Upgrade upgrade) {
        record.http.upgrade = static_cast<pointsman_router_types_upgrade_t>(upgrade);
        return *this;
    }

    // One more departure from the standard.
    Peer &quirk(Quirks quirk) {
        record.http.quirks |= static_cast<pointsman_router_types_quirks_t>(quirk);
        return *this;
    }

    // --- Socket ---

    // Probes an idle connection: after `idle`, then every `interval`; `count` unanswered probes end it. In seconds to the
    // host, rounded up. `user_timeout`: how long sent data may stay unacknowledged; zero is the system's default.
    Peer &tcp_keepalive(Time idle, Time interval, uint32_t count, Time user_timeout = {}) {
        pm_tcp_keepalive(&record, detail::seconds(idle), detail::seconds(interval), count);
        record.tcp_keepalive.val.user_timeout_ms = detail::millis(user_timeout);
        return *this;
    }

    // Differentiated services code point, 0 to 63.
    Peer &dscp(uint8_t dscp) {
        record.socket.dscp = pm_some_u8(dscp);
        return *this;
    }

    // Size of the receive buffer, in bytes.
    Peer &tcp_recv_buf(uint32_t bytes) { return set(record.socket.tcp_recv_buf, bytes); }

    // Sends the first bytes with the SYN (RFC 7413).
    Peer &tcp_fast_open(bool on = true) {
        record.socket.tcp_fast_open = on;
        return *this;
    }

private:
    explicit Peer(pm_peer_t peer) : record(peer) {}

    static pm_optional_text_t some(std::string_view text) { return pm_some(detail::copied(text)); }

    Peer &set(router_option_u32_t &field, uint32_t value) {
        field = pm_some_u32(value);
        return *this;
    }
};

} // namespace pointsman
