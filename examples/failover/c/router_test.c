#include <assert.h>

#include <pointsman_testing.h>

static pm_answer_t decide(pm_request_t request) {
    pm_test_config("{\"upstreams\": [\"127.0.0.1:9101\", \"127.0.0.1:9102\"]}");
    return select_peer(request);
}

static void the_first_upstream_is_preferred(void) {
    pm_route_t route = pm_test_route(decide(pm_test_get("/")));
    assert(pm_equal(route.peer.address, "127.0.0.1:9101"));
    assert(route.peer.timeouts.connect_ms.val == 500);
    assert(route.retry.on_status.len == 2);
}

static void the_second_follows_when_the_first_fails(void) {
    pm_request_t request = pm_test_get("/");
    pm_test_attempt(request, pm_test_refused("127.0.0.1:9101"));
    assert(pm_equal(pm_test_route(decide(request)).peer.address, "127.0.0.1:9102"));
    assert(pm_equal(pm_test_log(), "warn 127.0.0.1:9101 failed: refused\n"));
}

static void when_all_have_failed_the_module_answers(void) {
    pm_request_t request = pm_test_get("/");
    pm_test_attempt(request, pm_test_timed_out("127.0.0.1:9101"));
    pm_test_attempt(request, pm_test_status("127.0.0.1:9102", 503));
    pm_response_t response = pm_test_response(decide(request));
    assert(response.status == 503);
    assert(pm_equal(response.headers.ptr[0].name, "retry-after") && pm_equal(response.headers.ptr[0].value, "30"));
}

int main(void) {
    the_first_upstream_is_preferred();
    the_second_follows_when_the_first_fails();
    when_all_have_failed_the_module_answers();
}
