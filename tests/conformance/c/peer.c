// The part `peer`: each parameter sets a field of the record.

#include "job.h"

static bool parse_u32(pm_text_t text, router_option_u32_t *field) {
    uint64_t number;
    if (!parse_number(text, UINT32_MAX, &number)) return false;
    *field = pm_some_u32((uint32_t)number);
    return true;
}

static bool parse_bool(pm_text_t text, bool *field) {
    *field = pm_equal(text, "true");
    return *field || pm_equal(text, "false");
}

// The case of an enum whose names these are.
static bool parse_case(pm_text_t text, const char *const *names, uint8_t count, uint8_t *field) {
    for (uint8_t i = 0; i < count; i++) {
        if (!pm_equal(text, names[i])) continue;
        *field = i;
        return true;
    }
    return false;
}

static bool parse_ports(pm_text_t text, router_option_tuple2_u16_u16_t *field) {
    size_t dash = 0;
    while (dash < text.len && text.ptr[dash] != '-') dash++;
    uint64_t first, last;
    if (dash == text.len || !parse_number(pm_slice(text, 0, dash), UINT16_MAX, &first)) return false;
    if (!parse_number(pm_slice(text, dash + 1, text.len), UINT16_MAX, &last)) return false;
    *field = pm_ports((uint16_t)first, (uint16_t)last);
    return true;
}

static bool parse_keepalive(pm_text_t text, pm_peer_t *peer) {
    uint64_t numbers[4];
    for (int i = 0; i < 4; i++) {
        size_t end = 0;
        while (end < text.len && text.ptr[end] != ',') end++;
        if ((i == 3) != (end == text.len)) return false;
        if (!parse_number(pm_slice(text, 0, end), UINT32_MAX, &numbers[i])) return false;
        text = pm_slice(text, end + 1, text.len);
    }
    pm_tcp_keepalive(peer, (uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2]);
    peer->tcp_keepalive.val.user_timeout_ms = (uint32_t)numbers[3];
    return true;
}

static bool parse_header(pm_text_t text, pm_headers_t *headers) {
    pm_text_t name, value;
    if (!split(text, &name, &value)) return false;
    pm_add_header(headers, name, value);
    return true;
}

static bool copy_header(pm_request_t request, pm_text_t text, pm_headers_t *headers) {
    pm_text_t from, name;
    if (!split(text, &from, &name)) return false;
    pm_bytes_t value = pm_header_bytes(request, from);
    if (value.ptr) pm_add_header(headers, name, value);
    return true;
}

static const char *const verify[] = {"full", "chain-only", "none"};
static const char *const alpn[] = {"h1", "h2", "h2h1"};
static const char *const upgrade[] = {"websocket", "any", "deny"};
static const char *const quirks[] = {"keep-hop-by-hop", "keep-connection-nominated", "accept-malformed-connection",
                                     "accept-invalid-content-length"};

enum outcome { BAD, SET, UNKNOWN };

#define IS(parameter) pm_equal(param.name, parameter)

static enum outcome set_tls(pm_tls_t *tls, pm_param_t param) {
    if (IS("tls")) return SET;
    if (IS("sni")) return tls->sni = pm_some(param.value), SET;
    if (IS("verify")) return parse_case(param.value, verify, 3, &tls->verify);
    if (IS("alternative-cn")) return tls->alternative_cn = pm_some(param.value), SET;
    if (IS("ca")) return tls->ca = pm_some(param.value), SET;
    if (IS("client-cert")) return tls->client_cert = pm_some(param.value), SET;
    if (IS("curves")) return tls->curves = pm_some(param.value), SET;
    if (IS("second-key-share")) {
        bool value;
        if (!parse_bool(param.value, &value)) return BAD;
        tls->second_key_share = pm_some_bool(value);
        return SET;
    }
    return UNKNOWN;
}

static enum outcome set_peer(pm_peer_t *peer, pm_param_t param) {
    pm_text_t value = param.value;
    pm_headers_t *proxy_headers = &peer->connect_proxy.val.headers;
    if (IS("address")) return peer->address = value, SET;
    if (IS("connect-proxy")) return pm_connect_proxy(peer, value), SET;
    if (IS("proxy-header")) return peer->connect_proxy.is_some && parse_header(value, proxy_headers);
    if (IS("bind-address")) return pm_bind_to(peer)->address = pm_some(value), SET;
    if (IS("bind-ports")) return parse_ports(value, &pm_bind_to(peer)->port_range);
    if (IS("bind-fallback")) return parse_bool(value, &pm_bind_to(peer)->fallback);
    if (IS("connect-ms")) return parse_u32(value, &peer->timeouts.connect_ms);
    if (IS("total-connect-ms")) return parse_u32(value, &peer->timeouts.total_connect_ms);
    if (IS("read-ms")) return parse_u32(value, &peer->timeouts.read_ms);
    if (IS("write-ms")) return parse_u32(value, &peer->timeouts.write_ms);
    if (IS("idle-ms")) return parse_u32(value, &peer->timeouts.idle_ms);
    if (IS("keepalive")) return parse_keepalive(value, peer);
    if (IS("alpn")) return parse_case(value, alpn, 3, &peer->http.alpn);
    if (IS("max-h2-streams")) return parse_u32(value, &peer->http.max_h2_streams);
    if (IS("h2-ping-interval-ms")) return parse_u32(value, &peer->http.h2_ping_interval_ms);
    if (IS("h2-stream-window")) return parse_u32(value, &peer->http.h2_stream_window);
    if (IS("h2-connection-window")) return parse_u32(value, &peer->http.h2_connection_window);
    if (IS("upgrade")) return parse_case(value, upgrade, 3, &peer->http.upgrade);
    if (IS("quirk")) {
        uint8_t bit;
        if (!parse_case(value, quirks, 4, &bit)) return BAD;
        peer->http.quirks |= (pointsman_router_types_quirks_t)(1u << bit);
        return SET;
    }
    if (IS("dscp")) {
        uint64_t dscp;
        if (!parse_number(value, UINT8_MAX, &dscp)) return BAD;
        peer->socket.dscp = pm_some_u8((uint8_t)dscp);
        return SET;
    }
    if (IS("tcp-recv-buf")) return parse_u32(value, &peer->socket.tcp_recv_buf);
    if (IS("tcp-fast-open")) return parse_bool(value, &peer->socket.tcp_fast_open);
    if (IS("isolation")) return peer->isolation = pm_some(value), SET;
    // Only a parameter of TLS may turn it on.
    pm_tls_t tls = peer->tls.val;
    enum outcome outcome = set_tls(&tls, param);
    if (outcome != UNKNOWN) *pm_tls(peer) = tls;
    return outcome;
}

static enum outcome set_route(pm_request_t request, pm_route_t *route, pm_param_t param) {
    pm_text_t value = param.value;
    if (IS("authority")) return route->rewrite.authority = pm_some(value), SET;
    if (IS("path-and-query")) return route->rewrite.path_and_query = pm_some(value), SET;
    if (IS("remove")) return pm_add_text(&route->rewrite.remove_headers, value), SET;
    if (IS("set")) return parse_header(value, &route->rewrite.set_headers);
    if (IS("add")) return parse_header(value, &route->rewrite.add_headers);
    if (IS("copy")) return copy_header(request, value, &route->rewrite.set_headers);
    if (IS("attempts")) return parse_u32(value, &route->retry.attempts);
    if (IS("on-status")) {
        uint64_t status;
        if (!parse_number(value, UINT16_MAX, &status)) return BAD;
        pm_on_status(route, (uint16_t)status);
        return SET;
    }
    if (IS("note")) return route->note = pm_some(value), SET;
    return set_peer(&route->peer, param);
}

pm_answer_t peer_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    pm_route_t route = pm_route(pm_http(""));
    for (size_t i = 0; i < params.len; i++) {
        switch (set_route(request, &route, params.ptr[i])) {
        case SET: continue;
        case BAD: return bad_value(params.ptr[i]);
        case UNKNOWN: return pm_error(pm_join("unknown parameter ", params.ptr[i].name));
        }
    }
    return pm_connect(route);
}
