// Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

#include <pointsman.h>

static pm_answer_t to(pm_text_t upstream);
static pm_answer_t sorry(void);

pm_answer_t select_peer(pm_request_t request) {
    pm_texts_t upstreams;
    if (!pm_config_texts("/upstreams", &upstreams)) return pm_failed();
    pm_attempts_t failed = pm_attempts(request);
    if (failed.len) {
        pm_attempt_t *last = &failed.ptr[failed.len - 1];
        pm_log(PM_WARN, pm_join(last->address, " failed: ", pm_failure_name(last->failure)));
    }
    return failed.len < upstreams.len ? to(upstreams.ptr[failed.len]) : sorry();
}

static pm_answer_t to(pm_text_t upstream) {
    pm_peer_t peer = pm_http(upstream);
    // The next upstream is at hand, so this one need not be waited for.
    peer.timeouts.connect_ms = pm_some_u32(500);
    pm_route_t route = pm_route(peer);
    pm_on_status(&route, 502);
    pm_on_status(&route, 503);
    return pm_connect(route);
}

static pm_answer_t sorry(void) {
    pm_response_t response = pm_response(503);
    pm_add_header(&response.headers, "retry-after", "30");
    pm_body_text(&response, "We are being repaired. Please try again in half a minute.\n");
    return pm_respond(response);
}
