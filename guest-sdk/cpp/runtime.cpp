// What a module in C++ is linked with beside the C SDK.

#include "pointsman.hpp"

// What the C SDK calls.
extern "C" pm_answer_t select_peer(pm_request_t request) {
    return ::select_peer(pointsman::Request(request)).record;
}

#if defined(__wasm__) && defined(_LIBCPP_VERSION)
#include <cstdarg>

// In c/src/failure.c.
extern "C" [[noreturn]] void pm_bug(const char *text);

// libc++ would print its message to a stream, and with that import WASI; here it goes to the tenant's log. Its formats
// have no conversion but `%s`, so that they need no `vsnprintf`, which adds 20 KB.
namespace std {
inline namespace __1 {
[[noreturn]] void __libcpp_verbose_abort(const char *format, ...) noexcept {
    static char line[1024];
    size_t used = 0;
    auto put = [&](char c) {
        if (c != '\n' && used < sizeof line - 1) line[used++] = c;
    };
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (format[0] != '%' || format[1] != 's') {
            put(*format);
            continue;
        }
        for (const char *text = va_arg(arguments, const char *); *text; text++) put(*text);
        format++;
    }
    va_end(arguments);
    pm_bug(line);
}
} // namespace __1
} // namespace std
#endif
