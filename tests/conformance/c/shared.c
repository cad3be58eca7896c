// The part `shared`: one call for each parameter.

#include "job.h"

static bool parse_amount(pm_text_t text, int64_t *amount) {
    bool negative = text.len && text.ptr[0] == '-';
    bool sign = negative || (text.len && text.ptr[0] == '+');
    uint64_t size;
    if (!parse_number(pm_slice(text, sign, text.len), (uint64_t)INT64_MAX + negative, &size)) return false;
    *amount = (int64_t)(negative ? -size : size);
    return true;
}

static pm_text_t added(bool ok, int64_t sum) {
    return ok ? pm_join("add ", pm_decimal(sum)) : pm_join("error ", pm_shared_error_name(pm_shared_error()));
}

// The line of one call. False if the parameter's value is bad; an absent line if it names no call.
static bool call(pm_param_t param, pm_text_t *line) {
    pm_text_t key = {0}, value = {0}, more = {0};
    bool two = split(param.value, &key, &value);
    int64_t amount, sum = 0;
    uint64_t ttl_ms;
    bool ok;
    *line = pm_text(NULL);
    if (pm_equal(param.name, "add")) {
        if (!two || !parse_amount(value, &amount)) return false;
        ok = pm_shared_add(key, amount, &sum);
        *line = added(ok, sum);
    } else if (pm_equal(param.name, "add-ttl")) {
        if (!two || !split(value, &value, &more) || !parse_amount(value, &amount)) return false;
        if (!parse_number(more, UINT32_MAX, &ttl_ms)) return false;
        ok = pm_shared_add_for((uint32_t)ttl_ms, key, amount, &sum);
        *line = added(ok, sum);
    } else if (pm_equal(param.name, "counter")) {
        *line = pm_join("counter ", pm_shared_counter(param.value, &amount) ? pm_decimal(amount) : pm_text("-"));
    } else if (pm_equal(param.name, "get")) {
        pm_bytes_t found = pm_shared_get(param.value);
        *line = found.ptr ? pm_join("get ", found) : pm_text("get -");
    } else if (pm_equal(param.name, "set")) {
        if (!two) return false;
        ok = pm_shared_set(key, value);
        *line = ok ? pm_text("set") : added(false, 0);
    } else if (pm_equal(param.name, "swap")) {
        if (!two || !split(value, &value, &more)) return false;
        bool swapped;
        ok = pm_shared_compare_and_set(key, value.len ? value : pm_text(NULL), more, &swapped);
        *line = ok ? pm_text(swapped ? "swap true" : "swap false") : added(false, 0);
    } else if (pm_equal(param.name, "delete")) {
        pm_shared_delete(param.value);
        *line = pm_text("delete");
    }
    return true;
}

pm_answer_t shared_part(pm_request_t request) {
    pm_params_t params = pm_query_params(request);
    lines_t lines = {0};
    for (size_t i = 0; i < params.len; i++) {
        pm_text_t line;
        if (!call(params.ptr[i], &line)) return bad_value(params.ptr[i]);
        if (pm_present(line)) add_line(&lines, line);
    }
    return pm_respond(plain(lines));
}
