// Requests with the header `x-canary` go to the canary, all others to the stable version.

#include <pointsman.hpp>

using namespace pointsman;

Answer select_peer(const Request &request) {
    bool canary = request.header("x-canary").has_value();
    PM_TRY(auto address, config::text(canary ? "/canary" : "/stable"));
    return Route::to(Peer::http(address)).note(canary ? "canary" : "stable");
}
