// Hashes: they may never change, since users' canaries and sessions hang on them.

#include "test.h"

static pm_text_t nodes[] = {
    {(uint8_t *)"10.0.0.1:80", 11},
    {(uint8_t *)"10.0.0.2:80", 11},
    {(uint8_t *)"10.0.0.3:80", 11},
    {(uint8_t *)"10.0.0.4:80", 11},
};
static const pm_texts_t all = {nodes, 4}, rest = {nodes, 3};

static pm_text_t key(int n) {
    return pm_join("visitor-", pm_decimal(n));
}

static void results_are_those_of_every_other_language(void) {
    CHECK(pm_hash("") == 0xef46db3751d8e999);
    CHECK(pm_hash("a") == 0xd24ec4f1a98c6e5b);
    CHECK(pm_hash("visitor-1") == 0xb7db4eb3b829e88d);
    // Long enough for the four lanes, and for each of the rests.
    CHECK(pm_hash("The quick brown fox jumps over the lazy dog") == 0x0b242d361fda71bc);
    CHECK(pm_percent("visitor-1") == 71.81901158111611);
    pm_texts_t ranked = pm_rank("visitor-1", all);
    CHECK(ranked.len == 4);
    SAME(ranked.ptr[0], nodes[0]);
    SAME(ranked.ptr[1], nodes[3]);
    SAME(ranked.ptr[2], nodes[1]);
    SAME(ranked.ptr[3], nodes[2]);
}

static void shares_are_even_and_only_the_keys_of_a_lost_node_move(void) {
    int below = 0, of_node[4] = {0};
    for (int n = 0; n < 10000; n++) {
        double percent = pm_percent(key(n));
        CHECK(percent >= 0 && percent < 100);
        below += percent < 10;
        pm_text_t before = pm_pick(key(n), all), after = pm_pick(key(n), rest);
        for (int i = 0; i < 4; i++) of_node[i] += pm_equal(before, nodes[i]);
        CHECK(pm_equal(after, before) || pm_equal(before, nodes[3]));
        SAME(pm_rank(key(n), all).ptr[0], before);
    }
    CHECK(below > 900 && below < 1100);
    for (int i = 0; i < 4; i++) CHECK(of_node[i] > 2300 && of_node[i] < 2700);
}

static void the_order_of_the_nodes_does_not_matter(void) {
    pm_text_t reversed[] = {nodes[3], nodes[2], nodes[1], nodes[0]};
    for (int n = 0; n < 1000; n++) {
        pm_texts_t a = pm_rank(key(n), all), b = pm_rank(key(n), ((pm_texts_t){reversed, 4}));
        for (int i = 0; i < 4; i++) SAME(a.ptr[i], b.ptr[i]);
    }
}

static void without_nodes_nothing_is_picked(void) {
    SAME(pm_pick("visitor-1", ((pm_texts_t){0})), ABSENT);
    CHECK(pm_rank("visitor-1", ((pm_texts_t){0})).len == 0);
}

void hash_tests(void) {
    results_are_those_of_every_other_language();
    shares_are_even_and_only_the_keys_of_a_lost_node_move();
    the_order_of_the_nodes_does_not_matter();
    without_nodes_nothing_is_picked();
}
