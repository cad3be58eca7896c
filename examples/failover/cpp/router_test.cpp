#include <cassert>

#include <pointsman_testing.hpp>

using namespace pointsman;

static Answer decide(const Request &request) {
    testing::config(R"({"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]})");
    return select_peer(request);
}

static void the_first_upstream_is_preferred() {
    auto answer = decide(testing::get("/"));
    assert(testing::address(answer) == "127.0.0.1:9101");
    assert(testing::route(answer).peer.timeouts.connect_ms.val == 500);
    assert(testing::route(answer).retry.on_status.len == 2);
}

static void the_second_follows_when_the_first_fails() {
    auto request = testing::get("/").attempt(testing::refused("127.0.0.1:9101"));
    assert(testing::address(decide(request)) == "127.0.0.1:9102");
    assert(testing::log_lines() == "warn 127.0.0.1:9101 failed: refused\n");
}

static void when_all_have_failed_the_module_answers() {
    auto request = testing::get("/")
                       .attempt(testing::timed_out("127.0.0.1:9101"))
                       .attempt(testing::status("127.0.0.1:9102", 503));
    auto answer = decide(request);
    assert(testing::response(answer).status == 503);
    assert(testing::body(answer).starts_with("We are being repaired."));
}

int main() {
    the_first_upstream_is_preferred();
    the_second_follows_when_the_first_fails();
    when_all_have_failed_the_module_answers();
}
