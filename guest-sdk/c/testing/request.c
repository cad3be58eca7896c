// Requests for tests, and what the module answers them.

#include <ctype.h>

typedef struct {
    pm_text_t method, scheme, authority, path, query, client_ip, listener;
    pm_headers_t headers;
    bool has_tls;
    pm_client_tls_t tls;
    pm_attempts_t attempts;
} recorded_t;

// A test may make many thousands of them: on the heap, not in the memory of decisions.
static struct {
    recorded_t *ptr;
    size_t len, room;
} requests;

static void forget_requests(void) {
    requests.len = 0;
}

static pm_request_t record(recorded_t request) {
    if (requests.len == requests.room) {
        requests.room = requests.room ? requests.room * 2 : 16;
        requests.ptr = realloc(requests.ptr, requests.room * sizeof request);
        if (!requests.ptr) abort();
    }
    requests.ptr[requests.len++] = request;
    return (pm_request_t){(int32_t)requests.len - 1};
}

static recorded_t *recorded(pm_request_t request) {
    if (request.__handle < 0 || (size_t)request.__handle >= requests.len) wrong("no such request", "");
    return &requests.ptr[request.__handle];
}

static pm_text_t lower(pm_text_t text) {
    text = pm_copy(text);
    for (size_t i = 0; i < text.len; i++) text.ptr[i] = (uint8_t)tolower(text.ptr[i]);
    return text;
}

// A copy of what lies from here to before one of the characters, with NUL after it.
static pm_text_t text_until(const char **at, const char *until) {
    pm_text_t part = {(uint8_t *)*at, strcspn(*at, until)};
    *at += part.len;
    return pm_copy(part);
}

pm_request_t pm_test_get(const char *url) {
    return pm_test_request("GET", url);
}

pm_request_t pm_test_request(const char *method, const char *url) {
    recorded_t request = {
        .method = pm_text(method),
        .scheme = pm_text("http"),
        .authority = pm_text(""),
        .query = pm_text(NULL),
        .client_ip = pm_text("192.0.2.1"),
        .listener = pm_text("test"),
    };
    const char *colon = strstr(url, "://");
    if (colon) {
        request.scheme = lower((pm_text_t){(uint8_t *)url, (size_t)(colon - url)});
        url = colon + 3;
        request.authority = lower(text_until(&url, "/?"));
    }
    request.path = text_until(&url, "?");
    if (!request.path.len) request.path = pm_text("/");
    if (*url == '?') request.query = pm_text(url + 1);
    pm_request_t handle = record(request);
    if (pm_equal(request.scheme, pm_text("https"))) {
        pm_client_tls_t tls = {.version = pm_text("TLSv1.3"), .cipher = pm_text("TLS_AES_256_GCM_SHA384")};
        tls.sni = pm_some(pm_host(handle));
        pm_test_client_tls(handle, tls);
    }
    return handle;
}

void pm_test_header(pm_request_t request, const char *name, pm_text_t value) {
    pm_add_header(&recorded(request)->headers, lower(pm_text(name)), value);
}

void pm_test_client_ip(pm_request_t request, const char *address) {
    recorded(request)->client_ip = pm_text(address);
}

void pm_test_listener(pm_request_t request, const char *name) {
    recorded(request)->listener = pm_text(name);
}

void pm_test_client_tls(pm_request_t request, pm_client_tls_t tls) {
    recorded(request)->has_tls = true;
    recorded(request)->tls = tls;
}

void pm_test_attempt(pm_request_t request, pm_attempt_t attempt) {
    pm_attempts_t *attempts = &recorded(request)->attempts;
    attempt.number = (uint32_t)attempts->len + 1;
    *PM_GROW(attempts) = attempt;
}

static pm_attempt_t failed(const char *address, pointsman_router_types_stage_t stage,
                           pointsman_router_types_failure_t failure) {
    pm_attempt_t attempt = {.number = 1, .address = pm_text(address), .stage = stage, .failure = failure};
    attempt.request_sent = stage == POINTSMAN_ROUTER_TYPES_STAGE_RECEIVE;
    attempt.elapsed_ms = 1;
    attempt.detail = pm_text("");
    return attempt;
}

pm_attempt_t pm_test_refused(const char *address) {
    return failed(address, POINTSMAN_ROUTER_TYPES_STAGE_CONNECT, POINTSMAN_ROUTER_TYPES_FAILURE_REFUSED);
}

pm_attempt_t pm_test_timed_out(const char *address) {
    return failed(address, POINTSMAN_ROUTER_TYPES_STAGE_CONNECT, POINTSMAN_ROUTER_TYPES_FAILURE_TIMEOUT);
}

pm_attempt_t pm_test_closed(const char *address) {
    return failed(address, POINTSMAN_ROUTER_TYPES_STAGE_RECEIVE, POINTSMAN_ROUTER_TYPES_FAILURE_CLOSED);
}

pm_attempt_t pm_test_status(const char *address, uint16_t status) {
    pm_attempt_t attempt =
        failed(address, POINTSMAN_ROUTER_TYPES_STAGE_RECEIVE, POINTSMAN_ROUTER_TYPES_FAILURE_STATUS);
    attempt.status = (router_option_u16_t){true, status};
    return attempt;
}

// --- What the module asks ---

#define ANSWER(field)                                                                                                  \
    void pointsman_router_request_method_request_##field(pm_request_t request, router_string_t *ret) {                 \
        *ret = recorded(request)->field;                                                                               \
    }

ANSWER(method)
ANSWER(scheme)
ANSWER(authority)
ANSWER(path)
ANSWER(client_ip)
ANSWER(listener)

bool pointsman_router_request_method_request_query(pm_request_t request, router_string_t *ret) {
    *ret = recorded(request)->query;
    return pm_present(*ret);
}

void pointsman_router_request_method_request_header_values(pm_request_t request, router_string_t *name,
                                                           router_list_list_u8_t *ret) {
    pm_headers_t headers = recorded(request)->headers;
    *ret = (router_list_list_u8_t){0};
    for (size_t i = 0; i < headers.len; i++) {
        if (pm_equal(headers.ptr[i].name, lower(*name))) *PM_GROW(ret) = headers.ptr[i].value;
    }
}

bool pointsman_router_request_method_request_header(pm_request_t request, router_string_t *name,
                                                    router_list_u8_t *ret) {
    router_list_list_u8_t values;
    pointsman_router_request_method_request_header_values(request, name, &values);
    if (values.len) *ret = values.ptr[0];
    return values.len;
}

bool pointsman_router_request_method_request_header_text(pm_request_t request, router_string_t *name,
                                                         router_string_t *ret) {
    router_list_u8_t value;
    bool found = pointsman_router_request_method_request_header(request, name, &value);
    if (found) *ret = pm_utf8(value);
    return found;
}

void pointsman_router_request_method_request_headers(pm_request_t request,
                                                     pointsman_router_request_list_header_t *ret) {
    // In the order of their names' first appearance.
    pm_headers_t headers = recorded(request)->headers, sorted = {0};
    for (size_t i = 0; i < headers.len; i++) {
        size_t first = 0;
        while (!pm_equal(headers.ptr[first].name, headers.ptr[i].name)) first++;
        for (size_t j = i; first == i && j < headers.len; j++) {
            if (pm_equal(headers.ptr[j].name, headers.ptr[i].name)) *PM_GROW(&sorted) = headers.ptr[j];
        }
    }
    *ret = (pointsman_router_request_list_header_t){sorted.ptr, sorted.len};
}

bool pointsman_router_request_method_request_tls(pm_request_t request, pointsman_router_request_client_tls_t *ret) {
    if (recorded(request)->has_tls) *ret = recorded(request)->tls;
    return recorded(request)->has_tls;
}

void pointsman_router_request_method_request_attempts(pm_request_t request,
                                                      pointsman_router_request_list_attempt_t *ret) {
    *ret = recorded(request)->attempts;
}

// --- What it answers ---

static const char *kind(pm_answer_t answer) {
    if (answer.is_err) return (const char *)pm_copy(answer.val.err).ptr;
    if (answer.val.ok.tag == POINTSMAN_ROUTER_TYPES_DECISION_CONNECT) return "connect";
    return answer.val.ok.tag == POINTSMAN_ROUTER_TYPES_DECISION_RESPOND ? "respond" : "pass";
}

pm_route_t pm_test_route(pm_answer_t answer) {
    if (answer.is_err || answer.val.ok.tag != POINTSMAN_ROUTER_TYPES_DECISION_CONNECT) {
        wrong("the answer is no route", kind(answer));
    }
    return answer.val.ok.val.connect;
}

pm_response_t pm_test_response(pm_answer_t answer) {
    if (answer.is_err || answer.val.ok.tag != POINTSMAN_ROUTER_TYPES_DECISION_RESPOND) {
        wrong("the answer is no response", kind(answer));
    }
    return answer.val.ok.val.respond;
}

pm_text_t pm_test_error(pm_answer_t answer) {
    if (!answer.is_err) wrong("the answer is no error", kind(answer));
    return answer.val.err;
}
