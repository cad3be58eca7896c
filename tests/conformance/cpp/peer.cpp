// The part `peer`: each parameter sets a field of the record.

#include "job.hpp"

using namespace pointsman;
using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Outcome { bad, set, unknown };

// Calls the setter with the value, if there is one.
template <class T>
static Outcome set(const std::optional<T> &value, auto setter) {
    if (!value) return Outcome::bad;
    setter(*value);
    return Outcome::set;
}

static std::optional<milliseconds> millis(std::string_view text) {
    auto count = number<uint32_t>(text);
    return count ? std::optional(milliseconds(*count)) : std::nullopt;
}

static std::optional<bool> flag(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
}

template <class Enum>
static std::optional<Enum> one_of(std::string_view text, std::initializer_list<std::pair<std::string_view, Enum>> cases) {
    for (auto [name, value] : cases) {
        if (text == name) return value;
    }
    return std::nullopt;
}

static Outcome set_keepalive(Peer &peer, std::string_view text) {
    uint32_t numbers[4];
    for (uint32_t &field : numbers) {
        auto found = number<uint32_t>(text.substr(0, text.find(',')));
        bool last = &field == &numbers[3];
        if (!found || last != (text.find(',') == text.npos)) return Outcome::bad;
        field = *found;
        if (!last) text.remove_prefix(text.find(',') + 1);
    }
    peer.tcp_keepalive(seconds(numbers[0]), seconds(numbers[1]), numbers[2], milliseconds(numbers[3]));
    return Outcome::set;
}

static Outcome set_ports(Peer &peer, std::string_view text) {
    auto ports = split(text, '-');
    auto first = ports ? number<uint16_t>(ports->name) : std::nullopt;
    auto last = ports ? number<uint16_t>(ports->value) : std::nullopt;
    if (!first || !last) return Outcome::bad;
    peer.bind_ports(*first, *last);
    return Outcome::set;
}

static Outcome set_tls(Peer &peer, const Pair &param) {
    auto [name, value] = param;
    if (name == "tls") return pm_tls(&peer.record), Outcome::set;
    if (name == "sni") return peer.sni(value), Outcome::set;
    if (name == "verify") {
        auto verify = one_of<Verify>(
            value, {{"full", Verify::full}, {"chain-only", Verify::chain_only}, {"none", Verify::none}});
        return set(verify, [&](Verify verify) { peer.verify(verify); });
    }
    if (name == "alternative-cn") return peer.alternative_cn(value), Outcome::set;
    if (name == "ca") return peer.ca(value), Outcome::set;
    if (name == "client-cert") return peer.client_cert(value), Outcome::set;
    if (name == "curves") return peer.curves(value), Outcome::set;
    if (name == "second-key-share") return set(flag(value), [&](bool second) { peer.second_key_share(second); });
    return Outcome::unknown;
}

static Outcome set_http(Peer &peer, const Pair &param) {
    auto [name, value] = param;
    if (name == "alpn") {
        auto alpn = one_of<Alpn>(value, {{"h1", Alpn::h1}, {"h2", Alpn::h2}, {"h2h1", Alpn::h2h1}});
        return set(alpn, [&](Alpn alpn) { peer.alpn(alpn); });
    }
    if (name == "max-h2-streams") return set(number<uint32_t>(value), [&](auto n) { peer.max_h2_streams(n); });
    if (name == "h2-ping-interval-ms") return set(millis(value), [&](auto time) { peer.h2_ping_interval(time); });
    if (name == "h2-stream-window") return set(number<uint32_t>(value), [&](auto n) { peer.h2_stream_window(n); });
    if (name == "h2-connection-window") {
        return set(number<uint32_t>(value), [&](auto n) { peer.h2_connection_window(n); });
    }
    if (name == "upgrade") {
        auto upgrade = one_of<Upgrade>(
            value, {{"websocket", Upgrade::websocket}, {"any", Upgrade::any}, {"deny", Upgrade::deny}});
        return set(upgrade, [&](Upgrade upgrade) { peer.upgrade(upgrade); });
    }
    if (name == "quirk") {
        auto quirk = one_of<Quirks>(value, {{"keep-hop-by-hop", Quirks::keep_hop_by_hop},
                                            {"keep-connection-nominated", Quirks::keep_connection_nominated},
                                            {"accept-malformed-connection", Quirks::accept_malformed_connection},
                                            {"accept-invalid-content-length", Quirks::accept_invalid_content_length}});
        return set(quirk, [&](Quirks quirk) { peer.quirk(quirk); });
    }
    return set_tls(peer, param);
}

static Outcome set_peer(Peer &peer, const Pair &param) {
    auto [name, value] = param;
    if (name == "address") return peer.record.address = Peer::http(value).record.address, Outcome::set;
    if (name == "connect-proxy") return peer.connect_proxy(value), Outcome::set;
    if (name == "proxy-header") {
        auto header = peer.record.connect_proxy.is_some ? split(value) : std::nullopt;
        return set(header, [&](Pair header) { peer.proxy_header(header.name, header.value); });
    }
    if (name == "bind-address") return peer.bind_address(value), Outcome::set;
    if (name == "bind-ports") return set_ports(peer, value);
    if (name == "bind-fallback") return set(flag(value), [&](bool fallback) { peer.bind_fallback(fallback); });
    if (name == "connect-ms") return set(millis(value), [&](auto time) { peer.connect_timeout(time); });
    if (name == "total-connect-ms") return set(millis(value), [&](auto time) { peer.total_connect_timeout(time); });
    if (name == "read-ms") return set(millis(value), [&](auto time) { peer.read_timeout(time); });
    if (name == "write-ms") return set(millis(value), [&](auto time) { peer.write_timeout(time); });
    if (name == "idle-ms") return set(millis(value), [&](auto time) { peer.idle_timeout(time); });
    if (name == "keepalive") return set_keepalive(peer, value);
    if (name == "dscp") return set(number<uint8_t>(value), [&](auto dscp) { peer.dscp(dscp); });
    if (name == "tcp-recv-buf") return set(number<uint32_t>(value), [&](auto n) { peer.tcp_recv_buf(n); });
    if (name == "tcp-fast-open") return set(flag(value), [&](bool on) { peer.tcp_fast_open(on); });
    if (name == "isolation") return peer.isolation(value), Outcome::set;
    return set_http(peer, param);
}

static Outcome set_route(const Request &request, Route &route, const Pair &param) {
    auto [name, value] = param;
    auto header = split(value);
    if (name == "authority") return route.authority(value), Outcome::set;
    if (name == "path-and-query") return route.path_and_query(value), Outcome::set;
    if (name == "remove") return route.remove_header(value), Outcome::set;
    if (name == "set") return set(header, [&](Pair header) { route.set_header(header.name, header.value); });
    if (name == "add") return set(header, [&](Pair header) { route.add_header(header.name, header.value); });
    if (name == "copy") {
        return set(header, [&](Pair copy) {
            if (auto bytes = request.header_bytes(copy.name)) route.set_header(copy.value, *bytes);
        });
    }
    if (name == "attempts") return set(number<uint32_t>(value), [&](auto attempts) { route.attempts(attempts); });
    if (name == "on-status") return set(number<uint16_t>(value), [&](auto status) { route.on_status({status}); });
    if (name == "note") return route.note(value), Outcome::set;
    return Outcome::unknown;
}

Answer peer_part(const Request &request) {
    auto peer = Peer::http("");
    auto route = Route::to(peer);
    for (auto param : request.query_params()) {
        auto outcome = set_route(request, route, param);
        if (outcome == Outcome::unknown) outcome = set_peer(peer, param);
        if (outcome == Outcome::unknown) return Error("unknown parameter ", param.name);
        if (outcome == Outcome::bad) return bad_value(param);
    }
    route.record.peer = peer.record;
    return route;
}
