// All of the SDK that is written by hand, as one translation unit. A module is the author's files, this one and
// gen/router.c; a native test is the author's files, this one and testing.c.

#include "src/answer.c"
#include "src/arena.c"
#include "src/config.c"
#include "src/failure.c"
#include "src/hash.c"
#include "src/host.c"
#include "src/json.c"
#include "src/request.c"
#include "src/text.c"

#ifdef __wasm__
#include "src/heap.c"
#include "src/router.c"
#endif
