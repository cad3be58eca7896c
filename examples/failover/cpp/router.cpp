// Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

#include <pointsman.hpp>

using namespace pointsman;
using namespace std::chrono_literals;

static Route to(std::string_view upstream);
static Response sorry();

Answer select_peer(const Request &request) {
    auto upstreams = config::texts("/upstreams");
    if (!upstreams) return upstreams.error();
    auto failed = request.attempts();
    if (!failed.empty()) log::warn(failed.back().address, " failed: ", failed.back().failure);
    if (failed.size() < upstreams->size()) return to((*upstreams)[failed.size()]);
    return sorry();
}

static Route to(std::string_view upstream) {
    // The next upstream is at hand, so this one need not be waited for.
    auto peer = Peer::http(upstream).connect_timeout(500ms);
    return Route::to(peer).on_status({502, 503});
}

static Response sorry() {
    return Response(503).header("retry-after", "30").text("We are being repaired. Please try again in half a minute.\n");
}
