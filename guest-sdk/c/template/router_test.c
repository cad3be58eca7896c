// `make test` builds and runs this natively. `pointsman build` leaves files out whose names end in `_test.c`.

#include <assert.h>
#include <stdio.h>

#include <pointsman_testing.h>

static void the_header_chooses_the_canary(void) {
    pm_test_config("{\"stable\": \"127.0.0.1:9101\", \"canary\": \"127.0.0.1:9102\"}");
    pm_request_t request = pm_test_get("http://shop.example/");
    assert(pm_equal(pm_test_route(select_peer(request)).peer.address, "127.0.0.1:9101"));
    pm_test_header(request, "x-canary", "1");
    pm_route_t route = pm_test_route(select_peer(request));
    assert(pm_equal(route.peer.address, "127.0.0.1:9102"));
    assert(pm_equal(route.note.val, "canary"));
}

static void a_missing_address_is_an_error(void) {
    pm_test_config("{}");
    assert(pm_equal(pm_test_error(select_peer(pm_test_get("/"))), "config: `/stable` is missing"));
}

int main(void) {
    the_header_chooses_the_canary();
    a_missing_address_is_an_error();
    puts("{{name}}: all tests passed");
}
