// The parts of the conformance job (../README.md), and their common functions.

#include <pointsman.h>

pm_answer_t peer_part(pm_request_t request);
pm_answer_t echo_part(pm_request_t request);
pm_answer_t shared_part(pm_request_t request);

// The values that `configure` stored.
extern pm_text_t upstreams[3];

pm_answer_t bad_value(pm_param_t param);

// Splits at the first colon. False if there is none.
bool split(pm_text_t text, pm_text_t *before, pm_text_t *after);

// A decimal number up to a maximum. False if the text is no such number.
bool parse_number(pm_text_t text, uint64_t max, uint64_t *number);

pm_text_t hex_of(pm_bytes_t bytes);

// A plain answer is built line by line: `pm_join` makes the line, LF is added.
typedef pm_texts_t lines_t;

void add_line(lines_t *lines, pm_text_t line);

pm_response_t plain(lines_t lines);

#define OR_DASH(text) (pm_present(text) ? (text) : pm_text("-"))
