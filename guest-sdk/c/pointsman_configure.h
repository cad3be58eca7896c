// Include this in the one file that defines `configure`: then the module exports it.
//
// The host calls `configure` once, when it loads the module, and keeps the memory that it leaves: what it puts into
// globals is available to every decision, at no cost. `config` is the module's `config` table as JSON; the `pm_config_`
// functions read it too. The texts and lists that it gets and makes last as long as the instance.
//
// False, after `pm_fail` or a call that failed, refuses the module. It may not call `pm_shared_` and `pm_upstream`
// functions: they trap.

#ifndef POINTSMAN_CONFIGURE_H
#define POINTSMAN_CONFIGURE_H

#include "pointsman.h"

#ifdef __cplusplus
extern "C" {
#endif

bool configure(pm_text_t config);

#ifdef __wasm__
#include "gen/configured.c"

bool exports_configured_configure(configured_string_t *config, configured_string_t *error) {
    pm_text_t text = {config->ptr, config->len};
    if (configure(text)) return true;
    pm_text_t because = pm_failed_because();
    if (!pm_present(because)) because = pm_text("`configure` failed without a reason");
    // The bindings free it.
    error->ptr = (uint8_t *)malloc(because.len + 1);
    if (!error->ptr) abort();
    memcpy(error->ptr, because.ptr, because.len);
    error->len = because.len;
    return false;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
