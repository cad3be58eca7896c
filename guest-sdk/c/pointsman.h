// Write a Pointsman routing module in C (C11).
//
// A module defines one function, from a request to an answer:
//
//     #include <pointsman.h>
//
//     pm_answer_t select_peer(pm_request_t request) {
//         pm_text_t address;
//         if (!pm_config_text("/address", &address)) return pm_failed();
//         return pm_connect(pm_route(pm_http(address)));
//     }
//
// The host calls it for every request, and again after each attempt that failed (`pm_attempts`). By default every call
// starts in a fresh instance: nothing written to a global is seen by a later one.
//
// Records are the contract's own (wit/0.1): `gen/router.h` describes each field and what the host refuses. What an
// SDK function makes of a record is the default for all fields: set those that matter.
//
// Memory: nothing has to be freed. Texts and lists that the SDK gives are the decision's; they last until the host has
// taken the answer (those that `configure` got or made: as long as the instance). `pm_alloc` and `pm_copy` give such
// memory too. The SDK keeps texts by reference: one in an array on the stack must be copied before it goes into a record.
//
// Where a function takes a `pm_text_t`, C code may give it a string or bytes too: see src/strings.h.

#ifndef POINTSMAN_H
#define POINTSMAN_H

#include "gen/router.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PM_CHECKED __attribute__((warn_unused_result))

// --- Text -----------------------------------------------------------------------------------------------------------

// UTF-8: `ptr`, `len` in bytes. What the SDK gives is followed by a NUL that `len` does not count, so `(char *)text.ptr`
// is a string for the C library. A text may be absent: then `ptr` is NULL. An empty one is not absent.
typedef router_string_t pm_text_t;
typedef router_list_string_t pm_texts_t;
typedef router_option_string_t pm_optional_text_t;

// Any bytes, such as a header's value: `ptr`, `len`. The same about NUL and absence.
typedef router_list_u8_t pm_bytes_t;
typedef router_list_list_u8_t pm_bytes_list_t;

// A string as a text, by reference. NULL is absent.
pm_text_t pm_text(const char *string);

bool pm_present(pm_text_t text);

// Whether both are there and the same, byte for byte.
bool pm_equal(pm_text_t a, pm_text_t b);

bool pm_starts_with(pm_text_t text, pm_text_t prefix);

// In the decision's memory. An absent text stays absent.
pm_text_t pm_copy(pm_text_t text);

// What lies from `start` to before `end`, by reference; offsets behind the end of the text are its end. No NUL follows.
pm_text_t pm_slice(pm_text_t text, size_t start, size_t end);

// All of them, one after the other; absent ones as if they were empty. `pm_join(...)` takes one to eight.
pm_text_t pm_join_texts(const pm_text_t *texts, size_t count);

pm_text_t pm_decimal(int64_t number);

// Bytes as text: invalid UTF-8 is replaced by U+FFFD.
pm_text_t pm_utf8(pm_bytes_t bytes);

pm_bytes_t pm_bytes(pm_text_t text);

// Percent-decoded: `caf%C3%A9` becomes `café`. Invalid UTF-8 is then replaced by U+FFFD.
pm_text_t pm_percent_decoded(pm_text_t text);

void pm_add_text(pm_texts_t *texts, pm_text_t text);

// Memory of the decision, aligned for any type. Not set to zero.
void *pm_alloc(size_t size);

// For optional fields. An absent text is none.
pm_optional_text_t pm_some(pm_text_t text);
router_option_bool_t pm_some_bool(bool value);
router_option_u8_t pm_some_u8(uint8_t value);
router_option_u32_t pm_some_u32(uint32_t value);

// --- The request ----------------------------------------------------------------------------------------------------

// Nothing is copied in advance: each function calls the host, which records the reads. So read only what the decision
// needs, and read it once.
typedef router_borrow_request_t pm_request_t;

// As sent, such as `GET`.
pm_text_t pm_method(pm_request_t request);

// `https` if the client's connection has TLS, else `http`.
pm_text_t pm_scheme(pm_request_t request);

// Host and, if the client named one, port, in lower case. Empty if the client sent none.
pm_text_t pm_authority(pm_request_t request);

// The authority without its port: `shop.example`, `203.0.113.7` or `[2001:db8::1]`.
pm_text_t pm_host(pm_request_t request);

// The path as sent, percent-encoding untouched, without the query.
pm_text_t pm_path(pm_request_t request);

// The path's segments, percent-decoded: `/cart/caf%C3%A9/` has `cart` and `café`. Empty ones are left out; `.` and `..`
// are unchanged.
pm_texts_t pm_path_segments(pm_request_t request);

// The part after the first `?`, as sent. Absent if there is no `?`.
pm_text_t pm_query(pm_request_t request);

typedef struct {
    pm_text_t name, value;
} pm_param_t;

typedef struct {
    pm_param_t *ptr;
    size_t len;
} pm_params_t;

// The first query parameter of this name, percent-decoded, with `+` as a space. Absent if there is none.
pm_text_t pm_query_param(pm_request_t request, pm_text_t name);

// All query parameters, percent-decoded, with `+` as a space.
pm_params_t pm_query_params(pm_request_t request);

// The first value of a header, as text: invalid UTF-8 is replaced by U+FFFD. Absent if there is none.
pm_text_t pm_header(pm_request_t request, pm_text_t name);

// The first value of a header, as sent. Absent if there is none.
pm_bytes_t pm_header_bytes(pm_request_t request, pm_text_t name);

// All values of a header, in order.
pm_bytes_list_t pm_header_values(pm_request_t request, pm_text_t name);

typedef pointsman_router_types_header_t pm_header_t;
typedef pointsman_router_types_list_header_t pm_headers_t;

// All headers, names in lower case.
pm_headers_t pm_all_headers(pm_request_t request);

// The first cookie of this name, its value as sent. Absent if there is none.
pm_text_t pm_cookie(pm_request_t request, pm_text_t name);

// All cookies, in order.
pm_params_t pm_cookies(pm_request_t request);

// The peer address of the client's connection, without port.
pm_text_t pm_client_ip(pm_request_t request);

// The name of the listener that took the connection.
pm_text_t pm_listener(pm_request_t request);

typedef pointsman_router_request_client_tls_t pm_client_tls_t;

// Facts about the client's TLS connection. False without TLS.
bool pm_client_tls(pm_request_t request, pm_client_tls_t *tls);

typedef pointsman_router_types_attempt_t pm_attempt_t;
typedef pointsman_router_request_list_attempt_t pm_attempts_t;

// The failed attempts of this request, oldest first. Empty on the first call.
pm_attempts_t pm_attempts(pm_request_t request);

// The names that the WIT has: `connect-proxy`, `refused`.
pm_text_t pm_stage_name(pointsman_router_types_stage_t stage);
pm_text_t pm_failure_name(pointsman_router_types_failure_t failure);

// --- The peer -------------------------------------------------------------------------------------------------------

typedef pointsman_router_types_peer_t pm_peer_t;
typedef pointsman_router_types_tls_t pm_tls_t;
typedef pointsman_router_types_connect_proxy_t pm_connect_proxy_t;
typedef pointsman_router_types_bind_to_t pm_bind_to_t;

// Plain HTTP/1.1 to `ip:port`, `[ipv6]:port`, `name:port` or `unix:/path`. All else is left to the tenant's
// configuration, or off.
pm_peer_t pm_http(pm_text_t address);

// HTTP/1.1 over TLS, with the certificate checked in full. If the address is no DNS name, specify the expected name:
// `pm_tls(&peer)->sni = pm_some("shop.example")`.
pm_peer_t pm_https(pm_text_t address);

// The peer's TLS, turned on if it was off.
pm_tls_t *pm_tls(pm_peer_t *peer);

// Connects through an HTTP proxy at this address. Headers for it: `pm_add_header(&proxy->headers, ...)`.
pm_connect_proxy_t *pm_connect_proxy(pm_peer_t *peer, pm_text_t address);

// The local end of the connection, to be filled in: an address (`ip` or `ip:port`), ports or both. Needs a grant.
pm_bind_to_t *pm_bind_to(pm_peer_t *peer);

// Local ports, first and last: `pm_bind_to(&peer)->port_range = pm_ports(40000, 40100)`.
router_option_tuple2_u16_u16_t pm_ports(uint16_t first, uint16_t last);

// Probes an idle connection: after `idle_s` seconds, then every `interval_s`, and `count` unanswered probes end it.
void pm_tcp_keepalive(pm_peer_t *peer, uint32_t idle_s, uint32_t interval_s, uint32_t count);

enum { // peer.tls.val.verify
    PM_VERIFY_FULL = POINTSMAN_ROUTER_TYPES_VERIFY_FULL,
    PM_VERIFY_CHAIN_ONLY = POINTSMAN_ROUTER_TYPES_VERIFY_CHAIN_ONLY,
    PM_VERIFY_NONE = POINTSMAN_ROUTER_TYPES_VERIFY_NONE,
};

enum { // peer.http.alpn
    PM_ALPN_H1 = POINTSMAN_ROUTER_TYPES_ALPN_H1,
    PM_ALPN_H2 = POINTSMAN_ROUTER_TYPES_ALPN_H2,
    PM_ALPN_H2H1 = POINTSMAN_ROUTER_TYPES_ALPN_H2H1,
};

enum { // peer.http.upgrade
    PM_UPGRADE_WEBSOCKET = POINTSMAN_ROUTER_TYPES_UPGRADE_WEBSOCKET,
    PM_UPGRADE_ANY = POINTSMAN_ROUTER_TYPES_UPGRADE_ANY,
    PM_UPGRADE_DENY = POINTSMAN_ROUTER_TYPES_UPGRADE_DENY,
};

enum { // peer.http.quirks, joined with |
    PM_KEEP_HOP_BY_HOP = POINTSMAN_ROUTER_TYPES_QUIRKS_KEEP_HOP_BY_HOP,
    PM_KEEP_CONNECTION_NOMINATED = POINTSMAN_ROUTER_TYPES_QUIRKS_KEEP_CONNECTION_NOMINATED,
    PM_ACCEPT_MALFORMED_CONNECTION = POINTSMAN_ROUTER_TYPES_QUIRKS_ACCEPT_MALFORMED_CONNECTION,
    PM_ACCEPT_INVALID_CONTENT_LENGTH = POINTSMAN_ROUTER_TYPES_QUIRKS_ACCEPT_INVALID_CONTENT_LENGTH,
};

// --- The answer -----------------------------------------------------------------------------------------------------

typedef pointsman_router_types_route_t pm_route_t;
typedef pointsman_router_types_response_t pm_response_t;
typedef router_result_decision_string_t pm_answer_t;

// To a peer, the request as the client sent it, retries as the tenant's limits have it. The changes are fields of
// `route.rewrite`; a remark for the access log is `route.note = pm_some("v2")`.
pm_route_t pm_route(pm_peer_t peer);

// Takes this status of the upstream (500 to 599) for a failed attempt.
void pm_on_status(pm_route_t *route, uint16_t status);

// One more header: `pm_add_header(&response.headers, "retry-after", "30")`, `pm_add_header(&route.rewrite.set_headers,
// ...)`. The value may hold any bytes.
void pm_add_header(pm_headers_t *headers, pm_text_t name, pm_text_t value);

// Without headers and body. The status is 200 to 599.
pm_response_t pm_response(uint16_t status);

// The body and its type: plain text, or JSON that is sent unchanged.
void pm_body_text(pm_response_t *response, pm_text_t text);
void pm_body_json(pm_response_t *response, pm_text_t json);

pm_answer_t pm_connect(pm_route_t route);
pm_answer_t pm_respond(pm_response_t response);

// Leaves it to the tenant's next module.
pm_answer_t pm_pass(void);

// Refuses to decide: the text goes to the tenant's log, never to the client. At most 1,024 bytes.
pm_answer_t pm_error(pm_text_t message);

// --- Errors ---------------------------------------------------------------------------------------------------------

// A function that can fail gives false, and leaves its value as it was. These tell why: the answer for the host, and the
// text of it.
pm_answer_t pm_failed(void);
pm_text_t pm_failed_because(void);

// For functions of your own: fails with this text. Always false.
bool pm_fail(pm_text_t message);

// --- The configuration ----------------------------------------------------------------------------------------------

// The module's `config` table. A value is named by a JSON Pointer (RFC 6901): `/percent`,
// `/upstreams/0/address`. One of the wrong type is always an error, never treated as a missing one; the error's text
// names it: "config: `/percent` is missing".

PM_CHECKED bool pm_config_text(pm_text_t pointer, pm_text_t *value);
PM_CHECKED bool pm_config_text_or(pm_text_t pointer, pm_text_t fallback, pm_text_t *value);

// A list of texts.
PM_CHECKED bool pm_config_texts(pm_text_t pointer, pm_texts_t *values);

// What is in a list or a table: the pointer of each item, in order, for the functions here. So `[[sites]]` is read:
//
//     pm_texts_t sites;
//     if (!pm_config_items("/sites", &sites)) return pm_failed();
//     for (size_t i = 0; i < sites.len; i++) {
//         if (!pm_config_text(pm_join(sites.ptr[i], "/address"), &address)) return pm_failed();
//     }
PM_CHECKED bool pm_config_items(pm_text_t pointer, pm_texts_t *items);

// The last part of a pointer: the key in a table, or the index in a list.
pm_text_t pm_config_name(pm_text_t pointer);

// A number. With more than 15 digits, or an exponent beyond 22, the last digits of the result may differ.
PM_CHECKED bool pm_config_number(pm_text_t pointer, double *value);
PM_CHECKED bool pm_config_number_or(pm_text_t pointer, double fallback, double *value);

// A whole number from `min` to `max`.
PM_CHECKED bool pm_config_integer(pm_text_t pointer, int64_t min, int64_t max, int64_t *value);

// `true` or `false`, the latter also if the operator gave neither.
PM_CHECKED bool pm_config_flag(pm_text_t pointer, bool *value);

// The whole table as a JSON object, one value as JSON, and one value if it is a text. Absent if there is no such value.
pm_text_t pm_config_json(void);
pm_text_t pm_config_get(pm_text_t pointer);
pm_text_t pm_config_get_text(pm_text_t pointer);

// --- Hashes ---------------------------------------------------------------------------------------------------------

// The same key gives the same result on every machine, in every version of the SDK and in every language. They spread
// keys evenly; they keep no secret.

// XXH64 with seed 0.
uint64_t pm_hash(pm_text_t key);

// Where a key lies from 0 (included) to 100 (excluded). `pm_percent(key) < 10` holds for a tenth of all keys, and for
// these still when 10 becomes 20. Two experiments that share keys should have their names in the key.
double pm_percent(pm_text_t key);

// The node that a key belongs to, by rendezvous hashing: when a node goes, only its own keys move. Absent without nodes.
pm_text_t pm_pick(pm_text_t key, pm_texts_t nodes);

// All nodes in a key's own order, the first of them `pm_pick`'s: where the key goes if the ones before fail.
pm_texts_t pm_rank(pm_text_t key, pm_texts_t nodes);

#include "src/host.h"

#ifdef __cplusplus
}
#elif !defined(PM_TEXTS_ONLY)
#include "src/strings.h"
#endif
#endif
