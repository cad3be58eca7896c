// Makes a mistake, chosen by the request's path.

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <pointsman.hpp>
#include <pointsman_configure.hpp>

using namespace pointsman;

static std::string stable;

Result<void> configure(std::string_view) {
    PM_TRY(stable, config::text("/stable"));
    return {};
}

static std::size_t length(const std::string *text) {
    return text->size();
}

static const std::string *find(std::string_view path) {
    return path == "/" ? &stable : nullptr;
}

static std::string read(std::size_t size) {
    return std::string(size, 'x');
}

static void search() {
    volatile std::size_t place = 0;
    while (place != SIZE_MAX) place = place & 7;
}

static unsigned descend(const unsigned *above) {
    unsigned here[16] = {above[0] + 1};
    return descend(here) + here[above[0] % 16];
}

Answer select_peer(const Request &request) {
    auto path = request.path();
    std::vector<int> table;
    assert(path != "/assert" || !table.empty());
    if (path == "/panic") std::abort();
    if (path == "/index") return Response(static_cast<uint16_t>(table.at(3)));
    if (path == "/null") return Response(static_cast<uint16_t>(length(find(path))));
    if (path == "/exit") std::exit(3);
    if (path == "/memory") return Peer::http(read(1u << 27));
    if (path == "/loop") search();
    if (path == "/recursion") return Response(static_cast<uint16_t>(descend(std::vector<unsigned>(1).data())));
    if (path == "/answer") return Peer::http("upstream.internal");
    if (path == "/print") std::printf("path %s, printed\n", std::string(path).c_str()), std::fflush(stdout);
    if (path == "/shared") PM_CHECK(shared::set(std::string(300, 'k'), ""));
    return Peer::http(stable);
}
