#include <cassert>

#include <pointsman_testing.hpp>

using namespace pointsman;

static void percent(int percent) {
    testing::config(join(R"({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102", "percent": )", percent, "}"));
}

static bool is_canary(const Request &request) {
    auto answer = select_peer(request);
    bool canary = testing::note(answer) == "canary";
    assert(canary || testing::note(answer) == "stable");
    assert(testing::address(answer) == (canary ? "127.0.0.1:9102" : "127.0.0.1:9101"));
    return canary;
}

static bool is_canary_with_session(int n) {
    return is_canary(testing::get("/").header("cookie", join("theme=dark; session=", n)));
}

static void the_share_is_as_configured() {
    percent(10);
    int canaries = 0;
    for (int n = 0; n < 10'000; n++) canaries += is_canary_with_session(n);
    assert(canaries > 900 && canaries < 1100);
}

static void zero_is_nobody_and_a_hundred_everybody() {
    percent(0);
    for (int n = 0; n < 1000; n++) assert(!is_canary_with_session(n));
    percent(100);
    for (int n = 0; n < 1000; n++) assert(is_canary_with_session(n));
}

static void a_larger_share_keeps_those_who_were_in() {
    for (int n = 0; n < 1000; n++) {
        percent(10);
        bool before = is_canary_with_session(n);
        percent(20);
        assert(!before || is_canary_with_session(n));
    }
}

static void the_header_chooses_outright() {
    percent(0);
    assert(is_canary(testing::get("/").header("x-canary", "always")));
    percent(100);
    assert(!is_canary(testing::get("/").header("x-canary", "never")));
}

static void without_a_cookie_the_address_decides() {
    percent(50);
    int canaries = 0;
    for (int n = 0; n < 256; n++) canaries += is_canary(testing::get("/").client_ip(join("192.0.2.", n)));
    assert(canaries > 0 && canaries < 256);
}

static void a_missing_percentage_is_named() {
    testing::config(R"({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"})");
    assert(testing::error(select_peer(testing::get("/"))) == "config: `/percent` is missing");
}

int main() {
    the_share_is_as_configured();
    zero_is_nobody_and_a_hundred_everybody();
    a_larger_share_keeps_those_who_were_in();
    the_header_chooses_outright();
    without_a_cookie_the_address_decides();
    a_missing_percentage_is_named();
}
