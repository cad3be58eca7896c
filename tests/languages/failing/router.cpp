// Fails as bugs do, by the request's path.

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <pointsman.hpp>

using namespace pointsman;

Answer select_peer(const Request &request) {
    auto path = request.path();
    std::vector<int> table;
    assert(path != "/assert" || !table.empty());
    if (path == "/abort") std::abort();
    if (path == "/at") return Response(static_cast<uint16_t>(table.at(3)));
    if (path == "/print") std::printf("path %s, printed\n", std::string(path).c_str()), std::fflush(stdout);
    if (path == "/shared") PM_CHECK(shared::set(std::string(300, 'k'), ""));
    PM_TRY(auto address, config::text("/stable"));
    return Peer::http(address);
}
