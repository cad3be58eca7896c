// `make test` builds and runs this natively. `pointsman build` leaves files out whose names end in `_test.cpp`.

#include <cassert>
#include <cstdio>

#include <pointsman_testing.hpp>

using namespace pointsman;

static void the_header_chooses_the_canary() {
    testing::config(R"({"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"})");
    auto request = testing::get("http://shop.example/");
    assert(testing::address(select_peer(request)) == "127.0.0.1:9101");
    request.header("x-canary", "1");
    assert(testing::address(select_peer(request)) == "127.0.0.1:9102");
    assert(testing::note(select_peer(request)) == "canary");
}

static void a_missing_address_is_an_error() {
    testing::config("{}");
    assert(testing::error(select_peer(testing::get("/"))) == "config: `/stable` is missing");
}

int main() {
    the_header_chooses_the_canary();
    a_missing_address_is_an_error();
    std::puts("{{name}}: all tests passed");
}
