// The configuration, and the texts of its errors.

#include "test.h"

static pm_text_t text;
static pm_texts_t texts;
static double number;
static int64_t integer;
static bool flag;

static void fails(bool done, const char *message) {
    CHECK(!done);
    SAME(pm_failed_because(), message);
    SAME(pm_test_error(pm_failed()), message);
}

static void values_are_found_by_their_pointer(void) {
    pm_test_config("{\"name\": \"shop \\u00e9\\ud83d\\ude00\\n\", \"on\": true, \"ports\": [80, 81],\n"
                   " \"upstreams\": [\"a:1\", \"b:2\"], \"share\": 2.5, \"a/b\": {\"~\": [\"x\"]}, \"empty\": []}");
    CHECK(pm_config_text("/name", &text));
    SAME(text, "shop \xc3\xa9\xf0\x9f\x98\x80\n");
    CHECK(pm_config_texts("/upstreams", &texts) && texts.len == 2);
    SAME(texts.ptr[1], "b:2");
    CHECK(pm_config_texts("/empty", &texts) && texts.len == 0);
    CHECK(pm_config_integer("/ports/1", 0, 65535, &integer) && integer == 81);
    CHECK(pm_config_number("/share", &number) && number == 2.5);
    CHECK(pm_config_flag("/on", &flag) && flag);
    SAME(pm_config_get("/ports"), "[80,81]");
    SAME(pm_config_get("/a~1b/~0/0"), "\"x\"");
    SAME(pm_config_get_text("/a~1b/~0/0"), "x");
    SAME(pm_config_get("/ports/2"), ABSENT);
    SAME(pm_config_get("ports"), ABSENT);
}

static void defaults_stand_in_for_what_is_absent(void) {
    pm_test_config("{}");
    SAME(pm_config_json(), "{}");
    CHECK(pm_config_text_or("/name", "shop", &text));
    SAME(text, "shop");
    CHECK(pm_config_number_or("/percent", 10, &number) && number == 10);
    CHECK(pm_config_flag("/on", &flag) && !flag);
}

static void a_missing_value_is_named(void) {
    pm_test_config("{}");
    fails(pm_config_text("/name", &text), "config: `/name` is missing");
    fails(pm_config_texts("/names", &texts), "config: `/names` is missing");
    fails(pm_config_number("/percent", &number), "config: `/percent` is missing");
    fails(pm_config_integer("/port", 0, 65535, &integer), "config: `/port` is missing");
}

static void a_value_of_the_wrong_type_is_an_error_even_with_a_default(void) {
    pm_test_config("{\"text\": \"80\", \"number\": 80.5, \"list\": [\"a\", 1], \"big\": 65536, \"huge\": 1e30}");
    fails(pm_config_text_or("/number", "", &text), "config: `/number` is not a text");
    fails(pm_config_texts("/text", &texts), "config: `/text` is not a list");
    fails(pm_config_texts("/list", &texts), "config: `/list/1` is not a text");
    fails(pm_config_number_or("/text", 1, &number), "config: `/text` is not a number");
    fails(pm_config_integer("/text", 0, 9, &integer), "config: `/text` is not a number");
    const char *range = "config: `/number` is not a whole number from 0 to 65535";
    fails(pm_config_integer("/number", 0, 65535, &integer), range);
    fails(pm_config_integer("/big", -1, 65535, &integer), "config: `/big` is not a whole number from -1 to 65535");
    fails(pm_config_integer("/huge", 0, 1, &integer), "config: `/huge` is not a whole number from 0 to 1");
    fails(pm_config_flag("/text", &flag), "config: `/text` is not true or false");
}

static void lists_and_tables_are_walked(void) {
    pm_test_config("{\"sites\": [{\"at\": \"a:1\"}, {\"at\": [1, {\"x\": \"]\"}]}], \"none\": [], \"text\": \"x\",\n"
                   " \"by\": {\"a/b~c\": \"1\", \"caf\\u00e9\": \"2\", \"\": {}}}");
    CHECK(pm_config_items("/sites", &texts) && texts.len == 2);
    SAME(texts.ptr[1], "/sites/1");
    CHECK(pm_config_text(pm_join(texts.ptr[0], "/at"), &text));
    SAME(text, "a:1");
    SAME(pm_config_name(texts.ptr[1]), "1");
    CHECK(pm_config_items("/by", &texts) && texts.len == 3);
    SAME(texts.ptr[0], "/by/a~1b~0c");
    SAME(pm_config_name(texts.ptr[0]), "a/b~c");
    CHECK(pm_config_text(texts.ptr[0], &text));
    SAME(text, "1");
    SAME(pm_config_name(texts.ptr[1]), "caf\xc3\xa9");
    SAME(pm_config_name(texts.ptr[2]), "");
    CHECK(pm_config_items(texts.ptr[2], &texts) && texts.len == 0);
    CHECK(pm_config_items("/none", &texts) && texts.len == 0);
    CHECK(pm_config_items("", &texts) && texts.len == 4);
    SAME(texts.ptr[3], "/by");
    fails(pm_config_items("/text", &texts), "config: `/text` is not a list or a table");
    fails(pm_config_items("/absent", &texts), "config: `/absent` is missing");
}

static void parsed(const char *json) {
    pm_test_config((char *)pm_join("{\"n\":", json, "}").ptr);
    CHECK(pm_config_number("/n", &number));
    double expected = strtod(json, NULL);
    bool exact = strlen(json) <= 16 && !strchr(json, 'e');
    double error = number == expected ? 0 : number > expected ? number - expected : expected - number;
    double allowed = exact ? 0 : 1e-14 * (expected < 0 ? -expected : expected);
    if (error > allowed) {
        fprintf(stderr, "%s is %.17g, not %.17g\n", json, number, expected);
        exit(1);
    }
}

static void numbers_are_read_as_the_c_library_does(void) {
    const char *numbers[] = {"0", "-0", "1", "-1", "10", "0.1", "12.5", "99.99", "1e2", "1E+2", "1.5e-3",
                             "123456789012345", "0.000001", "1e22", "1e-22", "3.14159265358979", "0.30000000000000004", "1e300", "1e-300",
                             "12345678901234567890123", "1.7976931348623157e308", "1e400", "1e-400", "0.0"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) parsed(numbers[i]);
    for (int i = 0; i < 10000; i++) {
        char json[32];
        snprintf(json, sizeof json, "%d.%02d", i % 101, i % 97);
        parsed(json);
    }
}

static void whole_numbers_reach_from_end_to_end(void) {
    pm_test_config("{\"max\": 9223372036854775807, \"min\": -9223372036854775808, \"over\": 9223372036854775808}");
    CHECK(pm_config_integer("/max", INT64_MIN, INT64_MAX, &integer) && integer == INT64_MAX);
    CHECK(pm_config_integer("/min", INT64_MIN, INT64_MAX, &integer) && integer == INT64_MIN);
    CHECK(!pm_config_integer("/over", INT64_MIN, INT64_MAX, &integer));
    SAME(pm_decimal(INT64_MIN), "-9223372036854775808");
    SAME(pm_decimal(0), "0");
}

void config_tests(void) {
    values_are_found_by_their_pointer();
    defaults_stand_in_for_what_is_absent();
    a_missing_value_is_named();
    a_value_of_the_wrong_type_is_an_error_even_with_a_default();
    lists_and_tables_are_walked();
    numbers_are_read_as_the_c_library_does();
    whole_numbers_reach_from_end_to_end();
    pm_test_reset();
}
