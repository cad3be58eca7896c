// The part `echo`: the values that the module reads of the request.

#include "job.h"

static pm_text_t tls_of(pm_request_t request) {
    pm_client_tls_t tls;
    if (!pm_client_tls(request, &tls)) return pm_text("tls -");
    pm_text_t sni = tls.sni.is_some ? tls.sni.val : pm_text("-");
    pm_text_t cert = tls.client_cert_sha256.is_some ? hex_of(tls.client_cert_sha256.val) : pm_text("-");
    return pm_join("tls ", sni, " ", tls.version, " ", tls.cipher, " ", cert);
}

static void add_pairs(lines_t *lines, const char *word, pm_params_t pairs) {
    for (size_t i = 0; i < pairs.len; i++) add_line(lines, pm_join(word, pairs.ptr[i].name, "=", pairs.ptr[i].value));
}

pm_answer_t echo_part(pm_request_t request) {
    lines_t lines = {0};
    pm_text_t query = pm_query(request);
    add_line(&lines, pm_join("method ", pm_method(request)));
    add_line(&lines, pm_join("scheme ", pm_scheme(request)));
    add_line(&lines, pm_join("authority ", pm_authority(request)));
    add_line(&lines, pm_join("host ", pm_host(request)));
    add_line(&lines, pm_join("path ", pm_path(request)));
    pm_texts_t segments = pm_path_segments(request);
    for (size_t i = 0; i < segments.len; i++) add_line(&lines, pm_join("segment ", segments.ptr[i]));
    add_line(&lines, pm_join("query ", OR_DASH(query)));
    add_pairs(&lines, "param ", pm_query_params(request));
    add_line(&lines, pm_join("client-ip ", pm_client_ip(request)));
    add_line(&lines, pm_join("listener ", pm_listener(request)));
    add_line(&lines, tls_of(request));
    pm_headers_t headers = pm_all_headers(request);
    for (size_t i = 0; i < headers.len; i++) {
        add_line(&lines, pm_join("header ", headers.ptr[i].name, ":", headers.ptr[i].value));
    }
    add_pairs(&lines, "cookie ", pm_cookies(request));

    pm_response_t response = plain(lines);
    pm_bytes_list_t values = pm_header_values(request, "x-echo");
    for (size_t i = 0; i < values.len; i++) pm_add_header(&response.headers, "x-echoed", values.ptr[i]);
    pm_bytes_t first = pm_header_bytes(request, "x-echo");
    if (first.ptr) pm_add_header(&response.headers, "x-first", first);
    pm_text_t text = pm_header(request, "x-echo");
    if (pm_present(text)) pm_add_header(&response.headers, "x-text", text);
    return pm_respond(response);
}
