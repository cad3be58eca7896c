// Test a module natively, with neither WebAssembly nor a host: this replaces the host.
//
//     #include <assert.h>
//     #include <pointsman_testing.h>
//
//     int main(void) {
//         pm_test_config("{\"address\": \"127.0.0.1:9101\"}");
//         pm_request_t request = pm_test_get("https://shop.example/cart?x=1");
//         pm_test_header(request, "accept", "text/html");
//         assert(pm_equal(pm_test_route(select_peer(request)).peer.address, "127.0.0.1:9101"));
//     }
//
// Built with the module's own files, `module.c` and `testing.c`. What is given to these functions must last as long as
// the test. A test that expects another result ends with a message and a failure.

#ifndef POINTSMAN_TESTING_H
#define POINTSMAN_TESTING_H

#include "pointsman.h"

#ifdef __cplusplus
extern "C" {
#endif

// The module's.
pm_answer_t select_peer(pm_request_t request);

// --- The request ----------------------------------------------------------------------------------------------------

// `GET` of a URL, `https://shop.example/cart?x=1`, or of a path alone, `/cart`, for a client that names no host. `https`
// gives the connection TLS with the host as its server name. The client is `192.0.2.1`, the listener `test`.
pm_request_t pm_test_get(const char *url);

// The same with another method.
pm_request_t pm_test_request(const char *method, const char *url);

// Adds a header. The value may hold any bytes.
void pm_test_header(pm_request_t request, const char *name, pm_text_t value);

void pm_test_client_ip(pm_request_t request, const char *address);
void pm_test_listener(pm_request_t request, const char *name);
void pm_test_client_tls(pm_request_t request, pm_client_tls_t tls);

// Adds a failed attempt, such as those that the next functions make. Its number is set here.
void pm_test_attempt(pm_request_t request, pm_attempt_t attempt);

// Nothing listened on the address; the connection timed out; the upstream closed the connection instead of answering;
// it answered with this status.
pm_attempt_t pm_test_refused(const char *address);
pm_attempt_t pm_test_timed_out(const char *address);
pm_attempt_t pm_test_closed(const char *address);
pm_attempt_t pm_test_status(const char *address, uint16_t status);

// --- What else the host has -----------------------------------------------------------------------------------------

// Sets the module's `config` table: a JSON object. `{}` until then.
void pm_test_config(const char *json);

// The lines logged since the last call, each with its level and LF: `warn 127.0.0.1:9101 failed: refused`.
pm_text_t pm_test_log(void);

// Sets the time. 2026-01-01 00:00 UTC until then. Shared entries with a TTL end by it.
void pm_test_clock(uint64_t now_ms);

// Says which random bits come next, once; after that come 1, 2, 3, ...
void pm_test_random(uint64_t bits);

// Sets the statistics of an address, and the members of a group.
void pm_test_upstream(pm_upstream_t upstream);
void pm_test_group(const char *name, pm_upstreams_t members);

// As before the first test: no configuration, log lines, shared entries and upstreams.
void pm_test_reset(void);

// --- The answer -----------------------------------------------------------------------------------------------------

// What the answer is, if it is that.
pm_route_t pm_test_route(pm_answer_t answer);
pm_response_t pm_test_response(pm_answer_t answer);
pm_text_t pm_test_error(pm_answer_t answer);

#ifdef __cplusplus
}
#elif !defined(PM_TEXTS_ONLY)
#define pm_test_header(request, name, value) pm_test_header(request, name, PM_TEXT(value))
#endif
#endif
