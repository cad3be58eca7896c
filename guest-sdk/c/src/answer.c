// The answer: peers, routes, responses.

#include "internal.h"

pm_peer_t pm_http(pm_text_t address) {
    // Zero is "none", "off" and the first case, which is the default, in every field.
    return (pm_peer_t){.address = address};
}

pm_peer_t pm_https(pm_text_t address) {
    pm_peer_t peer = pm_http(address);
    pm_tls(&peer);
    return peer;
}

pm_tls_t *pm_tls(pm_peer_t *peer) {
    peer->tls.is_some = true;
    return &peer->tls.val;
}

pm_connect_proxy_t *pm_connect_proxy(pm_peer_t *peer, pm_text_t address) {
    peer->connect_proxy.is_some = true;
    peer->connect_proxy.val = (pm_connect_proxy_t){.address = address};
    return &peer->connect_proxy.val;
}

pm_bind_to_t *pm_bind_to(pm_peer_t *peer) {
    peer->bind_to.is_some = true;
    return &peer->bind_to.val;
}

router_option_tuple2_u16_u16_t pm_ports(uint16_t first, uint16_t last) {
    return (router_option_tuple2_u16_u16_t){true, {first, last}};
}

void pm_tcp_keepalive(pm_peer_t *peer, uint32_t idle_s, uint32_t interval_s, uint32_t count) {
    peer->tcp_keepalive.is_some = true;
    peer->tcp_keepalive.val = (pointsman_router_types_tcp_keepalive_t){idle_s, interval_s, count, 0};
}

pm_route_t pm_route(pm_peer_t peer) {
    return (pm_route_t){.peer = peer};
}

void pm_on_status(pm_route_t *route, uint16_t status) {
    *PM_GROW(&route->retry.on_status) = status;
}

void pm_add_header(pm_headers_t *headers, pm_text_t name, pm_text_t value) {
    *PM_GROW(headers) = (pm_header_t){name, pm_bytes(value)};
}

pm_response_t pm_response(uint16_t status) {
    return (pm_response_t){.status = status};
}

void pm_body_text(pm_response_t *response, pm_text_t text) {
    pm_add_header(&response->headers, pm_text("content-type"), pm_text("text/plain; charset=utf-8"));
    response->body = pm_bytes(text);
}

void pm_body_json(pm_response_t *response, pm_text_t json) {
    pm_add_header(&response->headers, pm_text("content-type"), pm_text("application/json"));
    response->body = pm_bytes(json);
}

pm_answer_t pm_connect(pm_route_t route) {
    pm_answer_t answer = {0};
    answer.val.ok.tag = POINTSMAN_ROUTER_TYPES_DECISION_CONNECT;
    answer.val.ok.val.connect = route;
    return answer;
}

pm_answer_t pm_respond(pm_response_t response) {
    pm_answer_t answer = {0};
    answer.val.ok.tag = POINTSMAN_ROUTER_TYPES_DECISION_RESPOND;
    answer.val.ok.val.respond = response;
    return answer;
}

pm_answer_t pm_pass(void) {
    pm_answer_t answer = {0};
    answer.val.ok.tag = POINTSMAN_ROUTER_TYPES_DECISION_PASS;
    return answer;
}

pm_answer_t pm_error(pm_text_t message) {
    pm_answer_t answer = {0};
    answer.is_err = true;
    answer.val.err = message;
    return answer;
}
