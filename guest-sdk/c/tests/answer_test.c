// Peers, routes, responses: every call sets its field, and all others are as the contract has them.

#include "test.h"

static void a_plain_peer_leaves_everything_open(void) {
    pm_peer_t peer = pm_http("127.0.0.1:9101");
    SAME(peer.address, "127.0.0.1:9101");
    CHECK(!peer.tls.is_some && !peer.connect_proxy.is_some && !peer.bind_to.is_some && !peer.tcp_keepalive.is_some);
    CHECK(!peer.isolation.is_some && !peer.timeouts.connect_ms.is_some && !peer.timeouts.idle_ms.is_some);
    CHECK(peer.http.alpn == PM_ALPN_H1 && peer.http.upgrade == PM_UPGRADE_WEBSOCKET && peer.http.quirks == 0);
    CHECK(!peer.socket.dscp.is_some && !peer.socket.tcp_recv_buf.is_some && !peer.socket.tcp_fast_open);
}

static void https_checks_the_certificate_in_full(void) {
    pm_peer_t peer = pm_https("shop.example:443");
    CHECK(peer.tls.is_some && peer.tls.val.verify == PM_VERIFY_FULL && !peer.tls.val.sni.is_some);
    CHECK(!peer.tls.val.second_key_share.is_some);
    pm_tls(&peer)->sni = pm_some("shop.example");
    pm_tls(&peer)->second_key_share = pm_some_bool(false);
    SAME(peer.tls.val.sni.val, "shop.example");
    CHECK(peer.tls.val.second_key_share.is_some && !peer.tls.val.second_key_share.val);
    CHECK(!pm_some(ABSENT).is_some);
}

static void connection_parts_land_in_their_fields(void) {
    pm_peer_t peer = pm_http("10.0.0.1:80");
    pm_connect_proxy_t *proxy = pm_connect_proxy(&peer, "192.0.2.1:3128");
    pm_add_header(&proxy->headers, "proxy-authorization", "Basic eDp5");
    pm_bind_to(&peer)->port_range = pm_ports(40000, 40100);
    pm_bind_to(&peer)->fallback = true;
    pm_tcp_keepalive(&peer, 60, 5, 3);
    SAME(peer.connect_proxy.val.address, "192.0.2.1:3128");
    SAME(peer.connect_proxy.val.headers.ptr[0].value, "Basic eDp5");
    CHECK(peer.bind_to.is_some && !peer.bind_to.val.address.is_some && peer.bind_to.val.fallback);
    CHECK(peer.bind_to.val.port_range.val.f0 == 40000 && peer.bind_to.val.port_range.val.f1 == 40100);
    CHECK(peer.tcp_keepalive.val.idle_s == 60 && peer.tcp_keepalive.val.interval_s == 5);
    CHECK(peer.tcp_keepalive.val.count == 3 && peer.tcp_keepalive.val.user_timeout_ms == 0);
}

static void changes_of_a_route_land_in_their_fields(void) {
    pm_route_t route = pm_route(pm_http("127.0.0.1:9101"));
    CHECK(!route.note.is_some && !route.retry.attempts.is_some && !route.rewrite.authority.is_some);
    for (int i = 0; i < 100; i++) {
        // Lists that grow in turns keep what they have.
        pm_add_header(&route.rewrite.set_headers, pm_join("x-", pm_decimal(i)), pm_decimal(i * i));
        pm_add_header(&route.rewrite.add_headers, pm_join("y-", pm_decimal(i)), pm_decimal(i));
        pm_add_text(&route.rewrite.remove_headers, pm_decimal(i));
        pm_on_status(&route, (uint16_t)(500 + i));
    }
    CHECK(route.rewrite.set_headers.len == 100 && route.rewrite.remove_headers.len == 100);
    CHECK(route.retry.on_status.len == 100);
    for (int i = 0; i < 100; i++) {
        SAME(route.rewrite.set_headers.ptr[i].name, pm_join("x-", pm_decimal(i)));
        SAME(route.rewrite.set_headers.ptr[i].value, pm_decimal(i * i));
        SAME(route.rewrite.add_headers.ptr[i].value, pm_decimal(i));
        SAME(route.rewrite.remove_headers.ptr[i], pm_decimal(i));
        CHECK(route.retry.on_status.ptr[i] == 500 + i);
    }
    SAME(pm_test_route(pm_connect(route)).peer.address, "127.0.0.1:9101");
}

static void responses_say_their_type(void) {
    pm_response_t response = pm_response(404);
    pm_add_header(&response.headers, "b", "1");
    pm_body_text(&response, "no such page");
    SAME(response.headers.ptr[0].name, "b");
    SAME(response.headers.ptr[1].value, "text/plain; charset=utf-8");
    SAME(response.body, "no such page");
    pm_response_t json = pm_response(200);
    pm_body_json(&json, "{}");
    SAME(json.headers.ptr[0].value, "application/json");
    CHECK(pm_test_response(pm_respond(response)).status == 404);
    SAME(pm_test_error(pm_error("no such shop")), "no such shop");
    CHECK(pm_pass().val.ok.tag == POINTSMAN_ROUTER_TYPES_DECISION_PASS && !pm_pass().is_err);
}

void answer_tests(void) {
    a_plain_peer_leaves_everything_open();
    https_checks_the_certificate_in_full();
    connection_parts_land_in_their_fields();
    changes_of_a_route_land_in_their_fields();
    responses_say_their_type();
}
