// The request, and what is taken apart of it.

#include "internal.h"

#include <string.h>

// The generated functions differ in their name only.
#define ASK(field)                                                                                                     \
    pm_text_t pm_##field(pm_request_t request) {                                                                       \
        pm_text_t text;                                                                                                \
        pointsman_router_request_method_request_##field(request, &text);                                               \
        return text;                                                                                                   \
    }

ASK(method)
ASK(scheme)
ASK(authority)
ASK(path)
ASK(client_ip)
ASK(listener)

// Up to `separator`, which is taken off as well; all of it, if there is none.
static pm_text_t cut(pm_text_t *rest, uint8_t separator) {
    uint8_t *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!at) {
        pm_text_t all = *rest;
        *rest = (pm_text_t){rest->ptr + rest->len, 0};
        return all;
    }
    pm_text_t part = {rest->ptr, (size_t)(at - rest->ptr)};
    *rest = (pm_text_t){at + 1, rest->len - part.len - 1};
    return part;
}

static bool contains(pm_text_t text, uint8_t byte) {
    return text.len && memchr(text.ptr, byte, text.len);
}

pm_text_t pm_host(pm_request_t request) {
    pm_text_t host = pm_authority(request);
    for (size_t i = host.len; i-- > 0 && host.ptr[i] != ']';) {
        // A colon within brackets belongs to an IPv6 address.
        if (host.ptr[i] == ':') return pm_copy((pm_text_t){host.ptr, i});
    }
    return host;
}

pm_texts_t pm_path_segments(pm_request_t request) {
    pm_texts_t segments = {0};
    for (pm_text_t rest = pm_path(request); rest.len;) {
        pm_text_t segment = cut(&rest, '/');
        if (segment.len) pm_add_text(&segments, pm_percent_decoded(segment));
    }
    return segments;
}

pm_text_t pm_query(pm_request_t request) {
    pm_text_t query;
    return pointsman_router_request_method_request_query(request, &query) ? query : pm_text(NULL);
}

// The next query parameter. False if there is none left.
static bool next_param(pm_text_t *rest, pm_param_t *param) {
    while (rest->len) {
        pm_text_t pair = cut(rest, '&');
        if (!pair.len) continue;
        param->name = pm_form_decoded(cut(&pair, '='));
        param->value = pm_form_decoded(pair);
        return true;
    }
    return false;
}

pm_text_t pm_query_param(pm_request_t request, pm_text_t name) {
    pm_text_t rest = pm_query(request);
    pm_param_t param;
    while (next_param(&rest, &param)) {
        if (pm_equal(param.name, name)) return param.value;
    }
    return pm_text(NULL);
}

pm_params_t pm_query_params(pm_request_t request) {
    pm_text_t rest = pm_query(request);
    pm_params_t params = {0};
    for (pm_param_t param; next_param(&rest, &param);) *PM_GROW(&params) = param;
    return params;
}

pm_text_t pm_header(pm_request_t request, pm_text_t name) {
    pm_text_t value;
    return pointsman_router_request_method_request_header_text(request, &name, &value) ? value : pm_text(NULL);
}

pm_bytes_t pm_header_bytes(pm_request_t request, pm_text_t name) {
    pm_bytes_t value;
    return pointsman_router_request_method_request_header(request, &name, &value) ? value : (pm_bytes_t){0};
}

pm_bytes_list_t pm_header_values(pm_request_t request, pm_text_t name) {
    pm_bytes_list_t values;
    pointsman_router_request_method_request_header_values(request, &name, &values);
    return values;
}

pm_headers_t pm_all_headers(pm_request_t request) {
    pointsman_router_request_list_header_t headers;
    pointsman_router_request_method_request_headers(request, &headers);
    return (pm_headers_t){headers.ptr, headers.len};
}

// Without the white space at either end that a header's value may hold.
static pm_text_t trimmed(pm_text_t text) {
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) text = (pm_text_t){text.ptr + 1, text.len - 1};
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) text.len--;
    return text;
}

// The next cookie of a `cookie` header. False if there is none left.
static bool next_cookie(pm_text_t *rest, pm_param_t *cookie) {
    while (rest->len) {
        pm_text_t pair = cut(rest, ';');
        if (!contains(pair, '=')) continue;
        cookie->name = trimmed(cut(&pair, '='));
        cookie->value = pm_copy(trimmed(pair));
        return true;
    }
    return false;
}

pm_text_t pm_cookie(pm_request_t request, pm_text_t name) {
    pm_bytes_list_t headers = pm_header_values(request, pm_text("cookie"));
    for (size_t i = 0; i < headers.len; i++) {
        pm_text_t rest = pm_utf8(headers.ptr[i]);
        pm_param_t cookie;
        while (next_cookie(&rest, &cookie)) {
            if (pm_equal(cookie.name, name)) return cookie.value;
        }
    }
    return pm_text(NULL);
}

pm_params_t pm_cookies(pm_request_t request) {
    pm_bytes_list_t headers = pm_header_values(request, pm_text("cookie"));
    pm_params_t cookies = {0};
    for (size_t i = 0; i < headers.len; i++) {
        pm_text_t rest = pm_utf8(headers.ptr[i]);
        for (pm_param_t cookie; next_cookie(&rest, &cookie);) {
            cookie.name = pm_copy(cookie.name);
            *PM_GROW(&cookies) = cookie;
        }
    }
    return cookies;
}

bool pm_client_tls(pm_request_t request, pm_client_tls_t *tls) {
    return pointsman_router_request_method_request_tls(request, tls);
}

pm_attempts_t pm_attempts(pm_request_t request) {
    pm_attempts_t attempts;
    pointsman_router_request_method_request_attempts(request, &attempts);
    return attempts;
}

pm_text_t pm_stage_name(pointsman_router_types_stage_t stage) {
    static const char *const names[] = {"resolve", "connect", "connect-proxy", "tls", "send", "receive"};
    return pm_text(stage < sizeof names / sizeof *names ? names[stage] : "other");
}

pm_text_t pm_failure_name(pointsman_router_types_failure_t failure) {
    static const char *const names[] = {"timeout",     "refused",  "unreachable",   "closed",
                                        "certificate", "protocol", "proxy-refused", "status"};
    return pm_text(failure < sizeof names / sizeof *names ? names[failure] : "other");
}
