// A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

#include <pointsman.h>

static bool wants_canary(pm_request_t request, bool *canary);
static bool visitor_of(pm_request_t request, pm_text_t *visitor);

pm_answer_t select_peer(pm_request_t request) {
    bool canary;
    if (!wants_canary(request, &canary)) return pm_failed();
    pm_text_t address;
    if (!pm_config_text(canary ? "/canary" : "/stable", &address)) return pm_failed();
    pm_route_t route = pm_route(pm_http(address));
    route.note = pm_some(canary ? "canary" : "stable");
    return pm_connect(route);
}

static bool wants_canary(pm_request_t request, bool *canary) {
    pm_text_t wish = pm_header(request, "x-canary");
    *canary = pm_equal(wish, "always");
    if (*canary || pm_equal(wish, "never")) return true;
    pm_text_t visitor;
    double percent;
    if (!visitor_of(request, &visitor) || !pm_config_number("/percent", &percent)) return false;
    *canary = pm_percent(visitor) < percent;
    return true;
}

// The session's cookie, or the client's address as long as there is none.
static bool visitor_of(pm_request_t request, pm_text_t *visitor) {
    pm_text_t cookie;
    if (!pm_config_text_or("/cookie", "session", &cookie)) return false;
    *visitor = pm_cookie(request, cookie);
    if (!pm_present(*visitor)) *visitor = pm_client_ip(request);
    return true;
}
