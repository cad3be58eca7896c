// A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

#include <pointsman.hpp>

using namespace pointsman;

static Result<bool> wants_canary(const Request &request);
static Result<std::string_view> visitor(const Request &request);

Answer select_peer(const Request &request) {
    auto canary = wants_canary(request);
    if (!canary) return canary.error();
    auto side = *canary ? "canary" : "stable";
    auto address = config::text(join("/", side));
    if (!address) return address.error();
    return Route::to(Peer::http(*address)).note(side);
}

static Result<bool> wants_canary(const Request &request) {
    auto wish = request.header("x-canary");
    if (wish == "always") return true;
    if (wish == "never") return false;
    auto key = visitor(request);
    if (!key) return key.error();
    auto percent = config::number("/percent");
    if (!percent) return percent.error();
    return hash::percent(*key) < *percent;
}

// The session's cookie, or the client's address as long as there is none.
static Result<std::string_view> visitor(const Request &request) {
    auto cookie = config::text_or("/cookie", "session");
    if (!cookie) return cookie.error();
    auto session = request.cookie(*cookie);
    return session ? *session : request.client_ip();
}
