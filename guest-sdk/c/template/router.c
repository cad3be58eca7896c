// Requests with the header `x-canary` go to the canary, all others to the stable version.

#include <pointsman.h>

pm_answer_t select_peer(pm_request_t request) {
    bool canary = pm_present(pm_header(request, "x-canary"));
    pm_text_t address;
    if (!pm_config_text(canary ? "/canary" : "/stable", &address)) return pm_failed();
    pm_route_t route = pm_route(pm_http(address));
    route.note = pm_some(canary ? "canary" : "stable");
    return pm_connect(route);
}
