// The C++ SDK's own tests. What it has from the C SDK is tested there; here: that every call sets its field.

#include <cstdio>
#include <cstdlib>

#include "../pointsman_testing.hpp"

using namespace pointsman;
using namespace std::chrono_literals;

#define CHECK(...)                                                                                                     \
    do {                                                                                                               \
        if (!(__VA_ARGS__)) {                                                                                          \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__);                                     \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (false)

Answer select_peer(const Request &request) {
    auto address = config::text("/address");
    if (!address) return address.error();
    return Route::to(Peer::http(*address)).note(request.method());
}

static std::string_view text(pm_text_t text) {
    return detail::view(text);
}

static void every_option_of_a_peer_lands_in_its_field() {
    auto peer = Peer::https("203.0.113.7:443")
                    .sni("shop.example").verify(Verify::chain_only).alternative_cn("old.example").ca("internal")
                    .client_cert("proxy").curves("X25519").second_key_share(true)
                    .connect_proxy("192.0.2.1:3128").proxy_header("proxy-authorization", "Basic eDp5")
                    .bind_address("127.0.0.1").bind_ports(40000, 40100).bind_fallback()
                    .connect_timeout(1ms).total_connect_timeout(2ms).read_timeout(3ms).write_timeout(4ms).idle_timeout(0s)
                    .tcp_keepalive(1500ms, 5s, 3, 20s)
                    .alpn(Alpn::h2).max_h2_streams(1).h2_ping_interval(2s).h2_stream_window(65535)
                    .h2_connection_window(65536).upgrade(Upgrade::deny).quirk(Quirks::keep_hop_by_hop)
                    .quirk(Quirks::accept_invalid_content_length)
                    .dscp(46).tcp_recv_buf(4096).tcp_fast_open().isolation("batch").record;
    CHECK(text(peer.address) == "203.0.113.7:443" && detail::optional(peer.isolation) == "batch");
    auto tls = peer.tls.val;
    CHECK(peer.tls.is_some && detail::optional(tls.sni) == "shop.example" && tls.verify == PM_VERIFY_CHAIN_ONLY);
    CHECK(detail::optional(tls.alternative_cn) == "old.example" && detail::optional(tls.ca) == "internal");
    CHECK(detail::optional(tls.client_cert) == "proxy" && detail::optional(tls.curves) == "X25519");
    CHECK(tls.second_key_share.is_some && tls.second_key_share.val);
    auto proxy = peer.connect_proxy.val;
    CHECK(peer.connect_proxy.is_some && text(proxy.address) == "192.0.2.1:3128" && proxy.headers.len == 1);
    CHECK(detail::view(proxy.headers.ptr[0].value) == "Basic eDp5");
    auto local = peer.bind_to.val;
    CHECK(peer.bind_to.is_some && detail::optional(local.address) == "127.0.0.1" && local.fallback);
    CHECK(local.port_range.is_some && local.port_range.val.f0 == 40000 && local.port_range.val.f1 == 40100);
    auto times = peer.timeouts;
    CHECK(times.connect_ms.val == 1 && times.total_connect_ms.val == 2 && times.read_ms.val == 3);
    CHECK(times.write_ms.val == 4 && times.idle_ms.is_some && times.idle_ms.val == 0);
    auto probes = peer.tcp_keepalive.val;
    CHECK(probes.idle_s == 2 && probes.interval_s == 5 && probes.count == 3 && probes.user_timeout_ms == 20000);
    auto http = peer.http;
    CHECK(http.alpn == PM_ALPN_H2 && http.max_h2_streams.val == 1 && http.h2_ping_interval_ms.val == 2000);
    CHECK(http.h2_stream_window.val == 65535 && http.h2_connection_window.val == 65536);
    CHECK(http.upgrade == PM_UPGRADE_DENY && http.quirks == (PM_KEEP_HOP_BY_HOP | PM_ACCEPT_INVALID_CONTENT_LENGTH));
    CHECK(peer.socket.dscp.val == 46 && peer.socket.tcp_recv_buf.val == 4096 && peer.socket.tcp_fast_open);
}

static void a_tls_option_turns_tls_on() {
    CHECK(!Peer::http("203.0.113.7:443").record.tls.is_some);
    CHECK(Peer::http("203.0.113.7:443").sni("shop.example").record.tls.is_some);
}

static void times_are_rounded_up_and_bounded() {
    CHECK(detail::millis(0ms) == 0 && detail::millis(1ns) == 1 && detail::millis(1500us) == 2);
    CHECK(detail::millis(24h) == 86'400'000 && detail::millis(24h * 365) == UINT32_MAX);
    CHECK(detail::millis(-1s) == UINT32_MAX);
}

static void records_copy_their_texts() {
    std::string address = "127.0.0.1:9101, and long enough to lie on the heap";
    auto route = Route::to(Peer::http(address)).note(address);
    address.assign(address.size(), 'x');
    CHECK(text(route.record.peer.address).starts_with("127.0.0.1:9101"));
    CHECK(detail::optional(route.record.note)->starts_with("127.0.0.1:9101"));
}

static void every_change_of_a_route_lands_in_its_field() {
    auto route = Route::to(Peer::http("127.0.0.1:9101"))
                     .authority("shop.internal:8080").path_and_query("/v2?x=1").remove_header("x-debug")
                     .set_header("x-shop", "north").add_header("via", "\xff").attempts(2).on_status({502, 503}).note("v2");
    auto record = testing::route(route);
    CHECK(detail::optional(record.rewrite.authority) == "shop.internal:8080");
    CHECK(detail::optional(record.rewrite.path_and_query) == "/v2?x=1");
    CHECK(text(record.rewrite.remove_headers.ptr[0]) == "x-debug");
    CHECK(text(record.rewrite.set_headers.ptr[0].name) == "x-shop");
    CHECK(detail::view(record.rewrite.add_headers.ptr[0].value) == "\xff");
    CHECK(record.retry.attempts.val == 2 && record.retry.on_status.len == 2 && record.retry.on_status.ptr[1] == 503);
    CHECK(testing::note(route) == "v2");
}

static void answers_are_made_of_what_they_may_be() {
    CHECK(testing::address(Peer::http("127.0.0.1:9101")) == "127.0.0.1:9101");
    CHECK(testing::body(Response(200).json("{}")) == "{}");
    CHECK(testing::response(Response(404).header("b", "1").text("gone")).headers.len == 2);
    CHECK(testing::error(Error("no shop ", 7)) == "no shop 7");
    CHECK(testing::error(shared::Error::too_long) == "shared: too-long");
    CHECK(testing::error(Result<Peer>(Error("refused"))) == "refused");
    CHECK(testing::address(Result<Peer>(Peer::http("127.0.0.1:1"))) == "127.0.0.1:1");
    CHECK(Answer(Pass()).record.val.ok.tag == POINTSMAN_ROUTER_TYPES_DECISION_PASS);
}

static void the_request_is_read() {
    auto request = testing::get("https://shop.example:8443/a%20b/c?x=1&y=%C3%A9")
                       .header("Cookie", "a=1; b=2").header("x-id", "\xff").client_ip("203.0.113.7").listener("public")
                       .attempt(testing::refused("127.0.0.1:9101")).attempt(testing::status("127.0.0.1:9102", 503));
    const Request &view = request;
    CHECK(view.method() == "GET" && view.scheme() == "https" && view.authority() == "shop.example:8443");
    CHECK(view.host() == "shop.example" && view.path() == "/a%20b/c" && view.query() == "x=1&y=%C3%A9");
    CHECK(view.path_segments() == std::vector<std::string_view>{"a b", "c"});
    CHECK(view.query_params() == std::vector<Pair>{{"x", "1"}, {"y", "\xc3\xa9"}});
    CHECK(view.query_param("y") == "\xc3\xa9" && !view.query_param("z"));
    CHECK(view.header("x-id") == "\xef\xbf\xbd" && view.header_bytes("X-Id") == "\xff" && !view.header("x-none"));
    CHECK(view.headers() == std::vector<Pair>{{"cookie", "a=1; b=2"}, {"x-id", "\xff"}});
    CHECK(view.header_values("cookie").size() == 1);
    CHECK(view.cookie("b") == "2" && !view.cookie("c") && view.cookies().size() == 2);
    CHECK(view.client_ip() == "203.0.113.7" && view.listener() == "public");
    CHECK(view.tls() && view.tls()->sni == "shop.example" && !view.tls()->client_cert_sha256);
    auto attempts = view.attempts();
    CHECK(attempts.size() == 2 && attempts[0].failure == Failure::refused && !attempts[0].status);
    CHECK(attempts[1].number == 2 && attempts[1].status == 503 && attempts[1].request_sent);
    CHECK(attempts[1].elapsed == 1ms && name(attempts[0].stage) == "connect");
    CHECK(name(Failure::proxy_refused) == "proxy-refused");
    CHECK(!testing::get("/").tls());
}

static void the_configuration_is_read() {
    testing::config(R"({"name": "shop", "list": ["a", "b"], "share": 2.5, "port": 80, "on": true})");
    CHECK(*config::text("/name") == "shop" && *config::text_or("/none", "else") == "else");
    CHECK(*config::texts("/list") == std::vector<std::string_view>{"a", "b"});
    CHECK(*config::number("/share") == 2.5 && *config::number_or("/none", 1) == 1 && *config::flag("/on"));
    CHECK(*config::integer<uint16_t>("/port") == 80 && config::get("/list") == R"(["a","b"])");
    CHECK(config::get_text("/name") == "shop" && !config::get("/none"));
    CHECK(config::text("/none").error().text() == "config: `/none` is missing");
    CHECK(config::number("/name").error().text() == "config: `/name` is not a number");
    testing::config(R"({"port": 256})");
    CHECK(config::integer<uint8_t>("/port").error().text() == "config: `/port` is not a whole number from 0 to 255");
}

static void lists_and_tables_are_walked() {
    testing::config(R"({"sites": [{"at": "a:1"}, {"at": "b:1"}], "by": {"a/b": 1}})");
    std::vector<std::string_view> addresses;
    auto sites = config::items("/sites");
    for (auto site : *sites) addresses.push_back(*config::text(join(site, "/at")));
    CHECK(addresses == std::vector<std::string_view>{"a:1", "b:1"});
    CHECK(config::name(config::items("/by")->at(0)) == "a/b");
    CHECK(config::items("/none").error().text() == "config: `/none` is missing");
}

static Result<std::string_view> first_site() {
    PM_TRY(auto sites, config::items("/sites"));
    PM_CHECK(shared::set(sites.at(0), "1"));
    PM_TRY(const auto address, config::text(join(sites.at(0), "/at")));
    return address;
}

static Answer site_or_error() {
    PM_TRY(auto address, first_site());
    PM_CHECK(shared::add("/sites/0", 1));
    return Peer::http(address);
}

static void errors_are_passed_on() {
    testing::config(R"({"sites": [{"at": "a:1"}]})");
    CHECK(*first_site() == "a:1" && testing::error(site_or_error()) == "shared: other-kind");
    shared::remove("/sites/0");
    CHECK(shared::add("/sites/0", 1) && first_site().error().text() == "shared: other-kind");
    testing::config("{}");
    CHECK(testing::error(site_or_error()) == "config: `/sites` is missing");
}

static void hashes_are_those_of_every_other_language() {
    const std::string_view nodes[] = {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"};
    CHECK(hash::of("visitor-1") == 0xb7db4eb3b829e88d && hash::percent("visitor-1") == 71.81901158111611);
    CHECK(hash::rank("visitor-1", nodes) == std::vector{nodes[0], nodes[3], nodes[1], nodes[2]});
    CHECK(hash::pick("visitor-1", nodes) == nodes[0] && !hash::pick("visitor-1", {}));
}

static void the_host_is_asked() {
    log::info("cart ", 3);
    log::warn(Failure::refused);
    CHECK(testing::log_lines() == "info cart 3\nwarn refused\n");
    testing::clock(1000);
    CHECK(clock::now_ms() == 1000);
    CHECK(*shared::add_for(1s, "hits", 2) == 2 && shared::counter("hits") == 2 && *shared::add("hits", -5) == -3);
    testing::clock(2000);
    CHECK(!shared::counter("hits"));
    CHECK(shared::set("colour", "green") && shared::set_for(1s, "brief", "1") && shared::get("brief") == "1");
    CHECK(!*shared::compare_and_set("colour", std::nullopt, "red"));
    CHECK(*shared::compare_and_set("colour", "green", "red"));
    CHECK(shared::get("colour") == "red" && shared::add("colour", 1).error() == shared::Error::other_kind);
    shared::remove("colour");
    CHECK(!shared::get("colour"));
    upstreams::Upstream member{"10.0.0.1:80", upstreams::Health::healthy, 3, 250us, 1};
    CHECK(upstreams::group("g").error().text() == "there is no group `g`; the operator defines it");
    testing::group("g", {&member, 1});
    testing::upstream(member);
    CHECK(upstreams::group("g")->at(0).latency == 250us && upstreams::get("10.0.0.1:80").health == member.health);
    CHECK(upstreams::get("10.0.0.2:80").health == upstreams::Health::unknown);
    testing::random(UINT64_MAX);
    CHECK(random::below(10) == 9 && random::bits() != random::bits());
    CHECK(!random::two_below(1) && random::two_below(2));
}

static void a_router_is_called_as_the_host_does() {
    testing::config(R"({"address": "127.0.0.1:9101"})");
    auto request = testing::get("/");
    CHECK(testing::address(select_peer(request)) == "127.0.0.1:9101" && testing::note(select_peer(request)) == "GET");
    CHECK(!select_peer(pm_test_get("/")).is_err);
    testing::config("{}");
    CHECK(testing::error(select_peer(request)) == "config: `/address` is missing");
}

int main() {
    every_option_of_a_peer_lands_in_its_field();
    a_tls_option_turns_tls_on();
    times_are_rounded_up_and_bounded();
    records_copy_their_texts();
    every_change_of_a_route_lands_in_its_field();
    answers_are_made_of_what_they_may_be();
    the_request_is_read();
    the_configuration_is_read();
    lists_and_tables_are_walked();
    errors_are_passed_on();
    hashes_are_those_of_every_other_language();
    the_host_is_asked();
    a_router_is_called_as_the_host_does();
    std::puts("C++ SDK: all tests passed");
}
