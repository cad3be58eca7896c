// Write a Pointsman routing module in C++20 or later.
//
// A module defines one function, in the global namespace, from a request to an answer: a `Peer`, a `Route`, a `Response`,
// `Pass` or an `Error`.
//
//     #include <pointsman.hpp>
//     using namespace pointsman;
//
//     Answer select_peer(const Request &request) {
//         auto address = config::text(request.path().starts_with("/api/") ? "/api" : "/web");
//         if (!address) return address.error();
//         return Peer::http(*address);
//     }
//
// The host calls it for every request, and again after each attempt that failed (`Request::attempts`). By default every
// call starts in a fresh instance: nothing written to a global is seen by a later one.
//
// Texts are `std::string_view`, UTF-8 unless stated otherwise. Those that the SDK returns are the decision's: they last
// until the host has taken the answer (those that `configure` gets: as long as the instance). What outlives a decision,
// where the operator lets instances be used again, needs a `std::string`. Records copy the texts that they are given.
//
// There are no exceptions: what can fail gives a `Result`.

#pragma once

#include "src/answer.hpp"
#include "src/config.hpp"
#include "src/hash.hpp"
#include "src/host.hpp"
#include "src/peer.hpp"
#include "src/request.hpp"
#include "src/result.hpp"
#include "src/text.hpp"

// Yours to define.
pointsman::Answer select_peer(const pointsman::Request &request);
