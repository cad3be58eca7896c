// The conformance job (../README.md) in C.

#include <pointsman_configure.h>

#include "job.h"

pm_text_t upstreams[3];

static double percent;
static size_t config_bytes;
static int64_t configure_calls;

bool configure(pm_text_t config) {
    configure_calls++;
    config_bytes = config.len;
    for (pm_text_t rest = config; rest.len; rest = pm_slice(rest, 1, rest.len)) {
        if (pm_starts_with(rest, "\"refuse\"")) return pm_fail("refused as told");
    }
    pm_texts_t configured;
    if (!pm_config_texts("/upstreams", &configured) || !pm_config_number("/percent", &percent)) return false;
    if (configured.len != 3) return pm_fail("config: `/upstreams` are not three");
    for (size_t i = 0; i < 3; i++) upstreams[i] = configured.ptr[i];
    return true;
}

void add_line(lines_t *lines, pm_text_t line) {
    pm_add_text(lines, pm_join(line, "\n"));
}

pm_response_t plain(lines_t lines) {
    pm_response_t response = pm_response(200);
    pm_body_text(&response, pm_join_texts(lines.ptr, lines.len));
    return response;
}

bool split(pm_text_t text, pm_text_t *before, pm_text_t *after) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ':') continue;
        *before = pm_slice(text, 0, i);
        *after = pm_slice(text, i + 1, text.len);
        return true;
    }
    return false;
}

bool parse_number(pm_text_t text, uint64_t max, uint64_t *number) {
    uint64_t found = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(found, 10, &found)) return false;
        if (__builtin_add_overflow(found, (uint64_t)(c - '0'), &found)) return false;
    }
    *number = found;
    return text.len && found <= max;
}

pm_text_t hex_of(pm_bytes_t bytes) {
    pm_text_t hex = {pm_alloc(bytes.len * 2 + 1), bytes.len * 2};
    for (size_t i = 0; i < bytes.len; i++) {
        hex.ptr[2 * i] = (uint8_t)"0123456789abcdef"[bytes.ptr[i] >> 4];
        hex.ptr[2 * i + 1] = (uint8_t)"0123456789abcdef"[bytes.ptr[i] & 15];
    }
    return hex;
}

pm_answer_t bad_value(pm_param_t param) {
    return pm_error(pm_join("bad value for ", param.name, ": ", param.value));
}

static pm_answer_t attempts_part(pm_request_t request) {
    pm_attempts_t attempts = pm_attempts(request);
    lines_t lines = {0};
    for (size_t i = 0; i < attempts.len; i++) {
        pm_attempt_t *a = &attempts.ptr[i];
        pm_text_t status = a->status.is_some ? pm_decimal(a->status.val) : pm_text("-");
        pm_text_t start = pm_join(pm_decimal(a->number), " ", a->address, " ", pm_stage_name(a->stage), " ",
                                  pm_failure_name(a->failure));
        pm_text_t flags = pm_join(a->reused_connection ? " reused" : " new", a->request_sent ? " sent " : " unsent ");
        add_line(&lines, pm_join(start, " ", status, flags, pm_decimal(a->elapsed_ms), " ", a->detail));
    }
    return pm_respond(plain(lines));
}

static pm_answer_t failover_part(pm_request_t request) {
    pm_attempts_t failed = pm_attempts(request);
    if (failed.len) {
        pm_attempt_t *last = &failed.ptr[failed.len - 1];
        pm_log(PM_WARN, pm_join(last->address, " failed: ", pm_failure_name(last->failure)));
    }
    if (failed.len < 3) {
        pm_route_t route = pm_route(pm_http(upstreams[failed.len]));
        pm_on_status(&route, 502);
        pm_on_status(&route, 503);
        return pm_connect(route);
    }
    pm_response_t response = pm_response(503);
    pm_body_text(&response, "no upstream is left\n");
    pm_add_header(&response.headers, "retry-after", "30");
    return pm_respond(response);
}

static pm_answer_t canary_part(pm_request_t request) {
    pm_text_t visitor = pm_cookie(request, "session");
    if (!pm_present(visitor)) visitor = pm_client_ip(request);
    bool canary = pm_percent(visitor) < percent;
    pm_route_t route = pm_route(pm_http(upstreams[canary]));
    route.note = pm_some(canary ? "canary" : "stable");
    return pm_connect(route);
}

static pm_answer_t hash_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    lines_t lines = {0};
    for (size_t i = 0; i < params.len; i++) {
        if (!pm_equal(params.ptr[i].name, "key")) continue;
        pm_text_t key = params.ptr[i].value;
        uint64_t hash = __builtin_bswap64(pm_hash(key));
        pm_text_t digits = hex_of((pm_bytes_t){(uint8_t *)&hash, sizeof hash});
        pm_text_t permille = pm_decimal((int64_t)(pm_percent(key) * 10));
        pm_text_t *rank = pm_rank(key, ((pm_texts_t){upstreams, 3})).ptr;
        add_line(&lines, pm_join(digits, " ", permille, " ", pm_join(rank[0], ",", rank[1], ",", rank[2])));
    }
    return pm_respond(plain(lines));
}

static pm_answer_t config_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    lines_t lines = {0};
    add_line(&lines, pm_config_json());
    for (size_t i = 0; i < params.len; i++) {
        if (!pm_equal(params.ptr[i].name, "pointer")) continue;
        pm_text_t json = pm_config_get(params.ptr[i].value), text = pm_config_get_text(params.ptr[i].value);
        add_line(&lines, pm_join(OR_DASH(json), " ", OR_DASH(text)));
    }
    return pm_respond(plain(lines));
}

static void add_upstream(lines_t *lines, pm_upstream_t upstream) {
    static const char *const health[] = {"unknown", "healthy", "unhealthy"};
    pm_text_t latency = upstream.latency_us.is_some ? pm_decimal(upstream.latency_us.val) : pm_text("-");
    pm_text_t start = pm_join(upstream.address, " ", health[upstream.health], " ", pm_decimal(upstream.in_flight));
    add_line(lines, pm_join(start, " ", latency, " ", pm_decimal(upstream.failures)));
}

static pm_answer_t upstreams_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    lines_t lines = {0};
    for (size_t i = 0; i < params.len; i++) {
        pm_param_t param = params.ptr[i];
        pm_upstreams_t members;
        if (pm_equal(param.name, "get")) {
            add_upstream(&lines, pm_upstream(param.value));
        } else if (pm_equal(param.name, "group")) {
            if (pm_upstream_group(param.value, &members)) {
                for (size_t m = 0; m < members.len; m++) add_upstream(&lines, members.ptr[m]);
            } else {
                add_line(&lines, pm_join("no group ", param.value));
            }
        }
    }
    return pm_respond(plain(lines));
}

static pm_answer_t verdict(bool ok) {
    lines_t lines = {0};
    add_line(&lines, pm_text(ok ? "ok" : "wrong"));
    return pm_respond(plain(lines));
}

static pm_answer_t log_part(pm_request_t request) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    pm_params_t params = pm_query_params(request);
    for (size_t i = 0; i < params.len; i++) {
        for (uint8_t level = PM_TRACE; level <= PM_ERROR; level++) {
            if (pm_equal(params.ptr[i].name, levels[level])) pm_log(level, params.ptr[i].value);
        }
    }
    return pm_pass();
}

static pm_answer_t respond_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    pm_response_t response = pm_response(200);
    for (size_t i = 0; i < params.len; i++) {
        pm_param_t param = params.ptr[i];
        uint64_t status;
        pm_text_t name, value;
        if (pm_equal(param.name, "status")) {
            if (!parse_number(param.value, UINT16_MAX, &status)) return bad_value(param);
            response.status = (uint16_t)status;
        } else if (pm_equal(param.name, "header")) {
            if (!split(param.value, &name, &value)) return bad_value(param);
            pm_add_header(&response.headers, name, value);
        } else if (pm_equal(param.name, "body")) {
            response.body = pm_bytes(param.value);
        }
    }
    return pm_respond(response);
}

static pm_answer_t configured_part(void) {
    lines_t lines = {0};
    add_line(&lines, pm_join("configured ", pm_decimal((int64_t)config_bytes), " ", pm_decimal(configure_calls)));
    return pm_respond(plain(lines));
}

// The text between the first `/` and the next one.
static pm_text_t part_of(pm_text_t path) {
    size_t start = 0;
    while (start < path.len && path.ptr[start] != '/') start++;
    size_t end = start + 1;
    while (end < path.len && path.ptr[end] != '/') end++;
    return pm_slice(path, start + 1, end);
}

pm_answer_t select_peer(pm_request_t request) {
    pm_text_t part = part_of(pm_path(request));
    if (pm_equal(part, "peer")) return peer_part(request);
    if (pm_equal(part, "echo")) return echo_part(request);
    if (pm_equal(part, "attempts")) return attempts_part(request);
    if (pm_equal(part, "failover")) return failover_part(request);
    if (pm_equal(part, "canary")) return canary_part(request);
    if (pm_equal(part, "hash")) return hash_part(request);
    if (pm_equal(part, "config")) return config_part(request);
    if (pm_equal(part, "shared")) return shared_part(request);
    if (pm_equal(part, "upstreams")) return upstreams_part(request);
    if (pm_equal(part, "clock")) return verdict(pm_now_ms() == pm_now_ms() && pm_now_ms() > 1600000000000);
    if (pm_equal(part, "random")) return verdict(pm_random() != pm_random());
    if (pm_equal(part, "log")) return log_part(request);
    if (pm_equal(part, "respond")) return respond_part(request);
    if (pm_equal(part, "pass")) return pm_pass();
    if (pm_equal(part, "error")) return pm_error(pm_query_param(request, "text"));
    if (pm_equal(part, "configured")) return configured_part();
    return pm_error(pm_join("unknown part ", part));
}
