// What the SDK's own tests share.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pointsman_testing.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

// Shows both where they differ.
#define SAME(text, expected)                                                                                           \
    do {                                                                                                               \
        pm_text_t found_ = PM_TEXT(text), expected_ = PM_TEXT(expected);                                               \
        if (found_.ptr != expected_.ptr && !pm_equal(found_, expected_)) {                                             \
            fprintf(stderr, "%s:%d: `%.*s`, not `%.*s`\n", __FILE__, __LINE__, (int)found_.len, (char *)found_.ptr,    \
                    (int)expected_.len, (char *)expected_.ptr);                                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define ABSENT ((pm_text_t){0})
