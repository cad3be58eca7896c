#!/usr/bin/env bash
# The cost of new versions for a proxy that serves: see tests/bench/reload/main.rs.
#
#   tests/bench/reload.sh load latency memory table large=MODULE      some of these, or all
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --locked --release --workspace --bin pointsman
guest-sdk/rust/build-guest versioned table
exec cargo bench --quiet --locked --package pointsman-tests --bench reload -- "$@"
