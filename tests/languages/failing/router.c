// Fails as bugs do, by the request's path.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <pointsman.h>

pm_answer_t select_peer(pm_request_t request) {
    pm_text_t path = pm_path(request);
    pm_texts_t table = {0};
    assert(!pm_equal(path, "/assert") || table.len > 0);
    if (pm_equal(path, "/abort")) abort();
    if (pm_equal(path, "/print")) {
        printf("path %s", (char *)path.ptr);
        puts(", printed");
        fflush(stdout);
    }
    if (pm_equal(path, "/shared")) {
        char key[300] = {0};
        for (size_t i = 0; i + 1 < sizeof key; i++) key[i] = 'k';
        if (!pm_shared_set(key, "")) return pm_failed();
    }
    pm_text_t address;
    if (!pm_config_text("/stable", &address)) return pm_failed();
    return pm_connect(pm_route(pm_http(address)));
}
