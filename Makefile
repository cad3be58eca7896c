# Everything here does its own set-up: it works on a fresh Debian 12 with Rust.

EXAMPLES := fixed canary sticky failover least-loaded quota rewrite table lab

.PHONY: demo lab test setup modules

## Build all, start upstreams and the proxy on loopback, show a few routed requests, keep serving (Ctrl-C ends it).
demo: setup modules
	cargo build --locked --workspace --bin pointsman
	examples/demo/run

## Upstreams of every kind, and a proxy that connects as a header says: see docs/peer.md.
lab: setup modules
	cargo build --locked --workspace --bin pointsman
	examples/lab/run

## Everything that CI runs.
test: setup modules
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo test --locked --workspace
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --quiet

## Debian packages and the Wasm toolchain.
setup:
	.ci/setup host
	.ci/setup guest

## The examples, and the tests' own modules, as Wasm in target/modules/.
modules: setup
	guest-sdk/rust/build-guest $(EXAMPLES) hostile versioned
