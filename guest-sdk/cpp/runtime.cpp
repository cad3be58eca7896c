// What a module in C++ is linked with beside the C SDK.

#include "pointsman.hpp"

// What the C SDK calls.
extern "C" pm_answer_t select_peer(pm_request_t request) {
    return ::select_peer(pointsman::Request(request)).record;
}

#if defined(__wasm__) && defined(_LIBCPP_VERSION)
// libc++ would print a message before it ends the program, and with that import WASI.
namespace std {
inline namespace __1 {
[[noreturn]] void __libcpp_verbose_abort(const char *, ...) noexcept {
    __builtin_trap();
}
} // namespace __1
} // namespace std
#endif
