// What is taken apart of a request.

#include "test.h"

static void host(const char *url, const char *expected) {
    SAME(pm_host(pm_test_get(url)), expected);
}

static void the_host_is_the_authority_without_port(void) {
    host("http://shop.example/", "shop.example");
    host("http://shop.example:8080/", "shop.example");
    host("http://203.0.113.7:80/", "203.0.113.7");
    host("http://[2001:db8::1]/", "[2001:db8::1]");
    host("http://[2001:db8::1]:8080/", "[2001:db8::1]");
    host("/", "");
}

static void segments(const char *path, const char *expected) {
    pm_texts_t segments = pm_path_segments(pm_test_get(path));
    pm_text_t joined = pm_text("");
    for (size_t i = 0; i < segments.len; i++) joined = pm_join(joined, "[", segments.ptr[i], "]");
    SAME(joined, expected);
}

static void segments_are_decoded_after_they_are_split(void) {
    segments("/", "");
    segments("/cart", "[cart]");
    segments("/cart//items/", "[cart][items]");
    segments("/a%2Fb/caf%C3%A9+", "[a/b][caf\xc3\xa9+]");
    segments("/%FF/%2/100%", "[\xef\xbf\xbd][%2][100%]");
    segments("/../%2e%2E", "[..][..]");
}

static void param(const char *url, const char *name, const char *expected) {
    SAME(pm_query_param(pm_test_get(url), name), expected);
}

static void query_parameters_are_decoded(void) {
    param("/", "a", NULL);
    param("/?", "a", NULL);
    param("/?a", "a", "");
    param("/?a=1&b=2&a=3", "a", "1");
    param("/?a=1&&b=2", "b", "2");
    param("/?na%6De=caf%C3%A9+noir", "name", "caf\xc3\xa9 noir");
    param("/?a=b=c?d", "a", "b=c?d");
    CHECK(pm_query_param(pm_test_get("/?a=x%00y"), "a").len == 3);
}

static void pairs(pm_params_t params, const char *expected) {
    pm_text_t joined = pm_text("");
    for (size_t i = 0; i < params.len; i++) {
        joined = pm_join(joined, "[", params.ptr[i].name, "=", params.ptr[i].value, "]");
    }
    SAME(joined, expected);
}

static void all_query_parameters_keep_their_order(void) {
    pairs(pm_query_params(pm_test_get("/?b=1&a=2&b=3")), "[b=1][a=2][b=3]");
}

static void cookies_come_from_all_their_headers(void) {
    pm_request_t request = pm_test_get("/");
    pm_test_header(request, "Cookie", "a=1;b = 2; c=x=y; flag");
    pm_test_header(request, "cookie", "\td=4 ; a=5; e=\xff");
    SAME(pm_cookie(request, "a"), "1");
    SAME(pm_cookie(request, "b"), "2");
    SAME(pm_cookie(request, "c"), "x=y");
    SAME(pm_cookie(request, "d"), "4");
    SAME(pm_cookie(request, "flag"), ABSENT);
    pairs(pm_cookies(request), "[a=1][b=2][c=x=y][d=4][a=5][e=\xef\xbf\xbd]");
    // What the SDK gives is followed by NUL.
    CHECK(strcmp((char *)pm_cookie(request, "b").ptr, "2") == 0);
}

static void headers_are_texts_or_bytes(void) {
    pm_request_t request = pm_test_get("/");
    pm_test_header(request, "X-Shop", "north");
    pm_test_header(request, "x-id", "\xff");
    pm_test_header(request, "x-shop", "south");
    SAME(pm_header(request, "X-SHOP"), "north");
    SAME(pm_header(request, "x-id"), "\xef\xbf\xbd");
    SAME(pm_header_bytes(request, "x-id"), "\xff");
    SAME(pm_header(request, "x-none"), ABSENT);
    CHECK(pm_header_bytes(request, "x-none").ptr == NULL);
    CHECK(pm_header_values(request, "x-shop").len == 2);
    pm_headers_t all = pm_all_headers(request);
    CHECK(all.len == 3);
    SAME(all.ptr[1].name, "x-shop");
    SAME(all.ptr[2].name, "x-id");
}

static void tls_and_attempts_are_told(void) {
    pm_client_tls_t tls;
    CHECK(!pm_client_tls(pm_test_get("/"), &tls));
    pm_request_t request = pm_test_request("POST", "https://Shop.Example:8443/");
    CHECK(pm_client_tls(request, &tls) && tls.sni.is_some);
    SAME(tls.sni.val, "shop.example");
    SAME(pm_scheme(request), "https");
    SAME(pm_method(request), "POST");
    SAME(pm_authority(request), "shop.example:8443");
    pm_test_client_ip(request, "203.0.113.7");
    SAME(pm_client_ip(request), "203.0.113.7");
    SAME(pm_listener(request), "test");
    CHECK(pm_attempts(request).len == 0);
    pm_test_attempt(request, pm_test_refused("127.0.0.1:9101"));
    pm_test_attempt(request, pm_test_status("127.0.0.1:9102", 503));
    pm_attempts_t attempts = pm_attempts(request);
    CHECK(attempts.len == 2 && attempts.ptr[1].number == 2 && attempts.ptr[1].status.val == 503);
    SAME(pm_stage_name(attempts.ptr[0].stage), "connect");
    SAME(pm_failure_name(attempts.ptr[0].failure), "refused");
    SAME(pm_failure_name(attempts.ptr[1].failure), "status");
    SAME(pm_failure_name(POINTSMAN_ROUTER_TYPES_FAILURE_OTHER), "other");
    SAME(pm_stage_name(POINTSMAN_ROUTER_TYPES_STAGE_OTHER), "other");
}

void request_tests(void) {
    the_host_is_the_authority_without_port();
    segments_are_decoded_after_they_are_split();
    query_parameters_are_decoded();
    all_query_parameters_keep_their_order();
    cookies_come_from_all_their_headers();
    headers_are_texts_or_bytes();
    tls_and_attempts_are_told();
}
