// Include this in the one file that defines `configure`: then the module exports it.
//
// The host calls `configure` once, when it loads the module, and keeps the memory that it leaves: what it puts into
// globals is available to every decision, at no cost. `config` is the module's `config` table as JSON; the functions of
// `pointsman::config` read it too. Texts that it gets and makes last as long as the instance.
//
// An error refuses the module. It may not use `shared` and `upstreams`: they trap.

#pragma once

#include "pointsman.hpp"

// Yours to define.
pointsman::Result<void> configure(std::string_view config);

#include "c/pointsman_configure.h"

extern "C" inline bool configure(pm_text_t config) {
    auto done = ::configure(pointsman::detail::view(config));
    return done || pm_fail(pointsman::detail::text(done.error().text()));
}
