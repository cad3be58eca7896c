// Bugs that end a decision: their text goes to the tenant's log, and the host sees a trap.
//
// In place of the C library's own functions, of which one would write to a stream, and with that import WASI, and the
// other says nothing.

#include "internal.h"

#include <stdlib.h>
#ifndef __wasm__
#include <stdio.h>
#endif

bool pm_host_allocates;

#ifdef __wasm__

// Of an assertion's expression, that much is enough to find it.
#define LONGEST_LINE 1024

// Not in the decision's memory, which may be what has run out.
static char line[LONGEST_LINE];
static size_t used;

static void put(const char *text) {
    while (*text && used < LONGEST_LINE) line[used++] = *text++;
}

static void put_number(unsigned number) {
    char digits[11] = {0};
    size_t at = sizeof digits - 1;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put(digits + at);
}

_Noreturn void pm_bug(const char *text) {
    put(text);
    pm_text_t message = {(uint8_t *)line, used};
    if (!pm_host_allocates) pm_log(PM_ERROR, message);
    __builtin_trap();
}

// What `assert` calls; the C library's header declares it.
_Noreturn void __assert_fail(const char *expression, const char *file, int number, const char *function) {
    put("assertion failed at ");
    put(file);
    put(":");
    put_number((unsigned)number);
    put(" (");
    put(function);
    put("): ");
    pm_bug(expression);
}

_Noreturn void abort(void) {
    pm_bug("abort was called");
}

#else

_Noreturn void pm_bug(const char *text) {
    fprintf(stderr, "%s\n", text);
    abort();
}

#endif
