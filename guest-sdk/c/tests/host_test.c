// Texts, log, shared entries, upstreams, time and chance.

#include "test.h"

static void texts_are_joined_sliced_and_compared(void) {
    SAME(pm_join("a", pm_text("b"), "", ABSENT, "c"), "abc");
    SAME(pm_join("1", "2", "3", "4", "5", "6", "7", "8"), "12345678");
    SAME(pm_slice("abcdef", 1, 3), "bc");
    SAME(pm_slice("abc", 2, 9), "c");
    SAME(pm_slice("abc", 5, 9), "");
    CHECK(pm_equal("", "") && !pm_equal("", ABSENT) && !pm_equal(ABSENT, ABSENT) && !pm_equal("a", "ab"));
    CHECK(pm_starts_with("/api/", "/api") && pm_starts_with("a", "") && !pm_starts_with("a", "ab"));
    CHECK(pm_present("") && !pm_present(ABSENT) && !pm_present(pm_copy(ABSENT)));
    char local[] = "local";
    pm_text_t copy = pm_copy(local);
    local[0] = 'x';
    SAME(copy, "local");
}

static void lossy(const char *bytes, const char *expected) {
    SAME(pm_utf8(pm_bytes(bytes)), expected);
}

#define BAD "\xef\xbf\xbd"

static void each_maximal_part_that_is_not_utf8_is_replaced(void) {
    lossy("plain", "plain");
    lossy("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    lossy("\xff\xfe", BAD BAD);
    lossy("a\x80z", "a" BAD "z");
    lossy("\xe2\x82", BAD);
    lossy("\xf0\x9f\x98z", BAD "z");
    lossy("\xc3(", BAD "(");
    lossy("\xc0\x80", BAD BAD);
    lossy("\xe0\x80\x80", BAD BAD BAD);
    lossy("\xed\xa0\x80", BAD BAD BAD);
    lossy("\xf4\x90\x80\x80", BAD BAD BAD BAD);
    lossy("\xf1\x80\x80\xe1\x80\xc2", BAD BAD BAD);
}

static void lines_come_with_their_level_and_once(void) {
    pm_log(PM_INFO, "cart");
    pm_log(PM_WARN, pm_join(pm_decimal(3), " left"));
    SAME(pm_test_log(), "info cart\nwarn 3 left\n");
    SAME(pm_test_log(), "");
}

static void a_counter_counts_in_its_time(void) {
    int64_t sum;
    pm_test_clock(1000);
    CHECK(pm_shared_add_for(1000, "hits", 1, &sum) && sum == 1);
    pm_test_clock(1999);
    CHECK(pm_shared_add_for(1000, "hits", 1, &sum) && sum == 2);
    pm_test_clock(2000);
    CHECK(!pm_shared_counter("hits", &sum));
    CHECK(pm_shared_add("hits", 5, &sum) && sum == 5);
    CHECK(!pm_shared_add("hits", INT64_MAX, &sum) && pm_shared_error() == PM_SHARED_OVERFLOW);
    SAME(pm_failed_because(), "shared: overflow");
    CHECK(pm_shared_counter("hits", &sum) && sum == 5);
}

static void a_value_is_kept_until_it_is_replaced_or_removed(void) {
    bool swapped;
    int64_t sum;
    CHECK(pm_shared_get("colour").ptr == NULL);
    CHECK(pm_shared_set("colour", "green"));
    CHECK(pm_shared_compare_and_set("colour", "blue", "red", &swapped) && !swapped);
    CHECK(pm_shared_compare_and_set("colour", "green", "red", &swapped) && swapped);
    CHECK(pm_shared_compare_and_set("new", ABSENT, "1", &swapped) && swapped);
    SAME(pm_shared_get("colour"), "red");
    CHECK(!pm_shared_add("colour", 1, &sum));
    SAME(pm_shared_error_name(pm_shared_error()), "other-kind");
    pm_shared_delete("colour");
    CHECK(pm_shared_get("colour").ptr == NULL);
    pm_test_clock(0);
    CHECK(pm_shared_set_for(10, "brief", "1") && pm_shared_get("brief").ptr);
    pm_test_clock(10);
    CHECK(!pm_shared_get("brief").ptr);
}

static void groups_and_upstreams_are_known_once_set(void) {
    pm_upstream_t members[] = {{.address = pm_text("10.0.0.1:80"), .in_flight = 3}, {.address = pm_text("10.0.0.2:80")}};
    pm_upstreams_t group = {members, 2};
    CHECK(!pm_upstream_group("backends", &group));
    SAME(pm_failed_because(), "there is no group `backends`; the operator defines it");
    pm_test_group("backends", group);
    CHECK(pm_upstream_group("backends", &group) && group.len == 2 && group.ptr[0].in_flight == 3);
    CHECK(pm_upstream("10.0.0.1:80").health == PM_HEALTH_UNKNOWN);
    pm_test_upstream((pm_upstream_t){.address = pm_text("10.0.0.1:80"), .health = PM_HEALTHY});
    CHECK(pm_upstream("10.0.0.1:80").health == PM_HEALTHY);
}

static void chance_is_within_its_range(void) {
    pm_test_random(0);
    CHECK(pm_random_below(10) == 0);
    pm_test_random(UINT64_MAX);
    CHECK(pm_random_below(10) == 9);
    pm_test_random(UINT64_MAX / 2);
    CHECK(pm_random_below(10) == 4);
    CHECK(pm_random_below(0) == 0);
    size_t first, second;
    CHECK(!pm_random_two(1, &first, &second));
    for (uint64_t i = 0; i < 100; i++) {
        pm_test_random(UINT64_MAX / 100 * i);
        CHECK(pm_random_two(3, &first, &second) && first != second && first < 3 && second < 3);
    }
    CHECK(pm_now_ms() == pm_now_ms());
}

void host_tests(void) {
    texts_are_joined_sliced_and_compared();
    each_maximal_part_that_is_not_utf8_is_replaced();
    lines_come_with_their_level_and_once();
    a_counter_counts_in_its_time();
    a_value_is_kept_until_it_is_replaced_or_removed();
    groups_and_upstreams_are_known_once_set();
    chance_is_within_its_range();
    pm_test_reset();
}
