#include <assert.h>
#include <stdio.h>

#include <pointsman_testing.h>

static void percent(double percent) {
    static char json[128];
    const char *form = "{\"stable\": \"127.0.0.1:9101\", \"canary\": \"127.0.0.1:9102\", \"percent\": %g}";
    snprintf(json, sizeof json, form, percent);
    pm_test_config(json);
}

static bool is_canary(pm_request_t request) {
    pm_route_t route = pm_test_route(select_peer(request));
    bool canary = pm_equal(route.note.val, "canary");
    assert(canary || pm_equal(route.note.val, "stable"));
    assert(pm_equal(route.peer.address, canary ? "127.0.0.1:9102" : "127.0.0.1:9101"));
    return canary;
}

static pm_request_t with_session(int n) {
    pm_request_t request = pm_test_get("/");
    pm_test_header(request, "cookie", pm_join("theme=dark; session=", pm_decimal(n)));
    return request;
}

static void the_share_is_as_configured(void) {
    percent(10);
    int canaries = 0;
    for (int n = 0; n < 10000; n++) canaries += is_canary(with_session(n));
    assert(canaries > 900 && canaries < 1100);
}

static void zero_is_nobody_and_a_hundred_everybody(void) {
    percent(0);
    for (int n = 0; n < 1000; n++) assert(!is_canary(with_session(n)));
    percent(100);
    for (int n = 0; n < 1000; n++) assert(is_canary(with_session(n)));
}

static void a_larger_share_keeps_those_who_were_in(void) {
    for (int n = 0; n < 1000; n++) {
        percent(10);
        bool before = is_canary(with_session(n));
        percent(20);
        assert(!before || is_canary(with_session(n)));
    }
}

static void the_header_chooses_outright(void) {
    pm_request_t always = pm_test_get("/"), never = pm_test_get("/");
    pm_test_header(always, "x-canary", "always");
    pm_test_header(never, "x-canary", "never");
    percent(0);
    assert(is_canary(always));
    percent(100);
    assert(!is_canary(never));
}

static void without_a_cookie_the_address_decides(void) {
    percent(50);
    int canaries = 0;
    for (int n = 0; n < 256; n++) {
        pm_request_t request = pm_test_get("/");
        pm_test_client_ip(request, (char *)pm_join("192.0.2.", pm_decimal(n)).ptr);
        canaries += is_canary(request);
    }
    assert(canaries > 0 && canaries < 256);
}

static void a_missing_percentage_is_named(void) {
    pm_test_config("{\"stable\": \"127.0.0.1:9101\", \"canary\": \"127.0.0.1:9102\"}");
    assert(pm_equal(pm_test_error(select_peer(pm_test_get("/"))), "config: `/percent` is missing"));
}

int main(void) {
    the_share_is_as_configured();
    zero_is_nobody_and_a_hundred_everybody();
    a_larger_share_keeps_those_who_were_in();
    the_header_chooses_outright();
    without_a_cookie_the_address_decides();
    a_missing_percentage_is_named();
}
