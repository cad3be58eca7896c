// Makes a mistake, chosen by the request's path.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <pointsman.h>
#include <pointsman_configure.h>

static pm_text_t stable;

bool configure(pm_text_t config) {
    (void)config;
    return pm_config_text("/stable", &stable);
}

static const char *const addresses[] = {"127.0.0.1:9101", "127.0.0.1:9102"};

static const char *address(size_t index) {
    return addresses[index];
}

static size_t length(const pm_text_t *text) {
    return text->len;
}

static const pm_text_t *find(pm_text_t path) {
    return pm_equal(path, "/") ? &stable : NULL;
}

static void search(void) {
    volatile size_t place = 0;
    while (place != SIZE_MAX) place &= 7;
}

static unsigned descend(const unsigned *above) {
    unsigned here[16] = {above[0] + 1};
    return descend(here) + here[above[0] % 16];
}

pm_answer_t select_peer(pm_request_t request) {
    pm_text_t path = pm_path(request);
    pm_texts_t table = {0};
    assert(!pm_equal(path, "/assert") || table.len > 0);
    if (pm_equal(path, "/panic")) abort();
    if (pm_equal(path, "/index")) return pm_connect(pm_route(pm_http(address(path.len))));
    if (pm_equal(path, "/null")) path.len = length(find(path));
    if (pm_equal(path, "/exit")) exit(3);
    if (pm_equal(path, "/memory")) pm_alloc(1u << 27);
    if (pm_equal(path, "/loop")) search();
    if (pm_equal(path, "/recursion")) path.len = descend(&(unsigned){0});
    if (pm_equal(path, "/answer")) return pm_connect(pm_route(pm_http("upstream.internal")));
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
    return pm_connect(pm_route(pm_http(path.len ? stable : path)));
}
